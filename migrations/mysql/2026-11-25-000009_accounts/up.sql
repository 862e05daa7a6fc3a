-- Whether the tenant vouches for a contact field: by a signed identity token or through an administrator.
ALTER TABLE member ADD COLUMN email_verified BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE member ADD COLUMN mobile_verified BOOLEAN NOT NULL DEFAULT FALSE;

-- Unused tokens beside the one from which the newest generation came, and when that generation began.
ALTER TABLE auth_session ADD COLUMN refresh_siblings MEDIUMTEXT;
ALTER TABLE auth_session ADD COLUMN rotated_at BIGINT NOT NULL DEFAULT 0;

-- Identity tokens that were used, until they expire: nobody else may use them again.
CREATE TABLE identity_use (
    tenant_id BIGINT NOT NULL,
    token_hash VARCHAR(64) NOT NULL,
    member_id BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, token_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX identity_use_expires_at ON identity_use (tenant_id, expires_at);
