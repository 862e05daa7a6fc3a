-- Addresses to which a merchant's messages of a channel are not sent: nobody is there, or whoever is does not want them. code:
-- what the provider said; null: one of the staff wrote it down.
CREATE TABLE message_suppression (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    channel VARCHAR(24) NOT NULL,
    address VARCHAR(254) NOT NULL,
    reason VARCHAR(24) NOT NULL,
    code VARCHAR(64),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX message_suppression_address ON message_suppression (tenant_id, channel, address);
CREATE INDEX message_suppression_tenant_id_id ON message_suppression (tenant_id, id);
