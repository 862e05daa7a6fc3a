-- What a rule sends instead when a message does not reach its person: all null, it sends nothing. fallback_on is a JSON
-- list of the ends that call for it.
ALTER TABLE message_rule ADD COLUMN fallback_template_id BIGINT;
ALTER TABLE message_rule ADD COLUMN fallback_account_id BIGINT;
ALTER TABLE message_rule ADD COLUMN fallback_on TEXT;
ALTER TABLE message_rule ADD COLUMN fallback_after_seconds BIGINT;

-- What is sent instead of a send, decided with it, until that is made or of no use. triggers is a JSON list; due_at is
-- unix milliseconds: when it is looked whether silence, or the end of the send's time, calls for it.
CREATE TABLE message_fallback (
    send_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    template_id BIGINT NOT NULL,
    template_version BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    triggers TEXT NOT NULL,
    after_seconds BIGINT,
    quiet_hours TEXT NOT NULL,
    ttl_seconds BIGINT NOT NULL,
    body TEXT NOT NULL,
    fault TEXT NOT NULL,
    due_at BIGINT,
    PRIMARY KEY (send_id)
);
CREATE INDEX message_fallback_due_at ON message_fallback (due_at) WHERE due_at IS NOT NULL;

-- The send whose fallback this one is.
ALTER TABLE message_send ADD COLUMN fallback_of BIGINT;
