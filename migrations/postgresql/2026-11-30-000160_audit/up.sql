-- Who did what to accounts, keys, groups, settings and rules; written in the transaction of the act and never changed.
CREATE TABLE audit_event (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    -- NULL: the operator, by the command line.
    actor_id BIGINT,
    actor_name TEXT NOT NULL,
    api_key_id BIGINT,
    action TEXT NOT NULL,
    target_type TEXT NOT NULL,
    target_id BIGINT NOT NULL,
    -- JSON objects of what changed.
    facts_before TEXT NOT NULL,
    facts_after TEXT NOT NULL,
    ip TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX audit_event_tenant_id_id ON audit_event (tenant_id, id);
CREATE INDEX audit_event_target ON audit_event (tenant_id, target_type, target_id, id);
CREATE INDEX audit_event_actor ON audit_event (tenant_id, actor_id, id);
