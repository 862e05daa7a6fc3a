-- Who a person is to an official account: its openid there (message_work_user.openid and wx_user_info of the source).
-- person_id is a member or a message recipient.
CREATE TABLE message_identity (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    openid VARCHAR(128) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX message_identity_openid ON message_identity (account_id, openid);
CREATE UNIQUE INDEX message_identity_person_id ON message_identity (person_id, account_id);
CREATE INDEX message_identity_tenant_id_id ON message_identity (tenant_id, id);

-- The access token of an account, sealed with the master key; one for all processes. generation counts the tokens, made_for
-- tells with what settings this one was got; renew_at and expires_at are unix milliseconds of the service. Whoever holds
-- the lease (lease_until is the database's time) gets the next one; an empty owner stands for a call that failed.
CREATE TABLE channel_token (
    account_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    sealed_token TEXT NOT NULL,
    made_for VARCHAR(64) NOT NULL,
    generation BIGINT NOT NULL,
    renew_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    lease_owner VARCHAR(64),
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (account_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
