-- What `deskwire import` made of the rows of other systems: a row that stands here is not imported again.
CREATE TABLE import_row (
    tenant_id BIGINT NOT NULL,
    source VARCHAR(64) NOT NULL,
    source_table VARCHAR(64) NOT NULL,
    source_key VARCHAR(191) NOT NULL,
    target_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, source_table, source_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
