-- Texts that the staff have ready: of the whole tenant (scope_id 0), of a group, or of one member.
CREATE TABLE canned_reply (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    scope TEXT NOT NULL,
    scope_id BIGINT NOT NULL,
    shortcut TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    use_count BIGINT NOT NULL,
    created_by BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX canned_reply_shortcut ON canned_reply (tenant_id, scope, scope_id, shortcut);
CREATE INDEX canned_reply_tenant_id_id ON canned_reply (tenant_id, id);
