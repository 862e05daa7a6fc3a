-- Accounts of programs: they have a role and API keys, and never sign in.
ALTER TABLE member ADD COLUMN service_account BOOLEAN NOT NULL DEFAULT FALSE;

-- The keys that act as service accounts. Only the hash of a key is kept; `prefix` names it in its own text.
CREATE TABLE api_key (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    -- JSON: what it may be used for, and from which addresses and networks (none: from everywhere).
    operations TEXT NOT NULL,
    networks TEXT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    last_used_ip TEXT NOT NULL,
    created_by BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revoked_by BIGINT,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX api_key_prefix ON api_key (prefix);
CREATE INDEX api_key_tenant_id_id ON api_key (tenant_id, id);
