-- What accounts (object_type 1) and conversations (2) are found by: a row for each token of the texts that they have or had.
CREATE TABLE search_term (
    tenant_id BIGINT NOT NULL,
    object_type SMALLINT NOT NULL,
    term BIGINT NOT NULL,
    object_id BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, object_type, term, object_id)
);
