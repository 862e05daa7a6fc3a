-- What providers said later of messages: that they arrived, or did not. dedupe tells repeats. send_id is the send once it
-- is known; applied_at is unix milliseconds, and null while the send is not known or is on its way.
CREATE TABLE message_receipt (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    dedupe TEXT NOT NULL,
    provider_message_id TEXT,
    send_id BIGINT,
    status TEXT NOT NULL,
    code TEXT,
    message TEXT,
    received_at BIGINT NOT NULL,
    applied_at BIGINT,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX message_receipt_dedupe ON message_receipt (dedupe);
CREATE INDEX message_receipt_provider_message_id ON message_receipt (account_id, provider_message_id);
CREATE INDEX message_receipt_send_id ON message_receipt (send_id);
CREATE INDEX message_receipt_tenant_id_id ON message_receipt (tenant_id, id);
