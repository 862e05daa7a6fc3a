-- A test send, kept for the limit of its account only. ended_at is the database's unix milliseconds: when it ended, or,
-- while it is under way, when it will have at the latest.
CREATE TABLE message_test_send (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX message_test_send_account_id ON message_test_send (account_id, ended_at);
