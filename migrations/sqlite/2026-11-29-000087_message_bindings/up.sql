-- QR codes of WeChat, each of which binds one person to its openid, once (message_work_user.key of the source). Of the scene
-- that WeChat gives back a hash is kept. status is pending, bound, cancelled or unbound; one that is pending after
-- expires_at has expired. scanned_at is WeChat's time of the scan that bound, the others are the service's, all in unix
-- milliseconds.
CREATE TABLE message_binding (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    created_by BIGINT NOT NULL,
    scene_hash TEXT NOT NULL,
    url TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    scanned_at BIGINT,
    bound_at BIGINT,
    refused_at BIGINT,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX message_binding_scene_hash ON message_binding (scene_hash);
CREATE INDEX message_binding_tenant_id_id ON message_binding (tenant_id, id);
CREATE INDEX message_binding_account_id ON message_binding (account_id, created_at);
CREATE INDEX message_binding_person_id ON message_binding (person_id, account_id, created_at);
