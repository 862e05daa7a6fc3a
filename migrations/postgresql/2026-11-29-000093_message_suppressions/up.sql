-- Addresses to which a merchant's messages of a channel are not sent: nobody is there, or whoever is does not want them. code:
-- what the provider said; null: one of the staff wrote it down.
CREATE TABLE message_suppression (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT NOT NULL,
    code TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX message_suppression_address ON message_suppression (tenant_id, channel, address);
CREATE INDEX message_suppression_tenant_id_id ON message_suppression (tenant_id, id);
