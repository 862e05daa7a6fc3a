-- What `deskwire import` made of the rows of other systems: a row that stands here is not imported again.
CREATE TABLE import_row (
    tenant_id BIGINT NOT NULL,
    source TEXT NOT NULL,
    source_table TEXT NOT NULL,
    source_key TEXT NOT NULL,
    target_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, source_table, source_key)
);
