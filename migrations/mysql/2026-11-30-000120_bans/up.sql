-- Which customers are not let in: by member, address, network, e-mail or device. The value is in its one form.
CREATE TABLE ban (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    value VARCHAR(255) NOT NULL,
    reason VARCHAR(500) NOT NULL,
    expires_at BIGINT,
    created_by BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX ban_tenant_id_kind_value ON ban (tenant_id, kind, value);
CREATE INDEX ban_tenant_id_id ON ban (tenant_id, id);

-- Moves with every change of whom the tenant's bans meet, under the lock of its log. Processes look for what moved.
ALTER TABLE tenant ADD COLUMN bans_version BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tenant_bans_version ON tenant (bans_version);
