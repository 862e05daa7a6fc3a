-- The search index: for each token of the messages of a tenant and each piece of 16,384 revs, where it stands. A posting is four
-- bytes, little-endian: a hash of the conversation below, the rev within the piece above.
CREATE TABLE search_posting (
    tenant_id BIGINT NOT NULL,
    term BIGINT NOT NULL,
    chunk BIGINT NOT NULL,
    postings MEDIUMBLOB NOT NULL,
    PRIMARY KEY (tenant_id, term, chunk)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Which conversations were merged into others.
CREATE INDEX conversation_merged_into_id ON conversation (tenant_id, merged_into_id);
