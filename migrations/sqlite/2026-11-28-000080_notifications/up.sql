-- What members are told inside the product. send_id is the message that it came with: one for each. read_at is unix
-- milliseconds, and null while it is unread; rev is the tenant's rev of the last change.
CREATE TABLE notification (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    send_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    link TEXT,
    data TEXT,
    created_at BIGINT NOT NULL,
    read_at BIGINT,
    rev BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX notification_send_id ON notification (send_id);
CREATE INDEX notification_member_id_id ON notification (member_id, id);
CREATE INDEX notification_member_id_read_at ON notification (member_id, read_at);
CREATE INDEX notification_tenant_id_rev ON notification (tenant_id, rev);
CREATE INDEX notification_tenant_id_id ON notification (tenant_id, id);
