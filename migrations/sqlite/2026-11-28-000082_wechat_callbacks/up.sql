-- The signatures that WeChat made lately, each with what came with it: a signature does not cover a body that is not
-- encrypted, so that another body would be a forgery. until is unix milliseconds.
CREATE TABLE channel_callback (
    account_id BIGINT NOT NULL,
    signature TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    body_hash TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (account_id, signature)
);
CREATE INDEX channel_callback_until ON channel_callback (account_id, until);
