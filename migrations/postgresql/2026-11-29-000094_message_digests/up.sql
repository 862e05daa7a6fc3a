-- digest: the JSON of how a rule collects events and sends them as one.
ALTER TABLE message_rule ADD COLUMN digest TEXT;

-- The events that a rule collects now: those with one hash go together. It ends at due_at, unix milliseconds, or when there
-- are enough of them.
CREATE TABLE message_digest (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    rule_id BIGINT NOT NULL,
    hash TEXT NOT NULL,
    customer_id BIGINT,
    agent_id BIGINT,
    event_count BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX message_digest_rule_id_hash ON message_digest (rule_id, hash);
CREATE INDEX message_digest_due_at ON message_digest (due_at);

-- Which events a digest has; they stay when it has ended.
CREATE TABLE message_digest_event (
    digest_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    PRIMARY KEY (digest_id, event_id)
);
CREATE INDEX message_digest_event_event_id ON message_digest_event (event_id);
