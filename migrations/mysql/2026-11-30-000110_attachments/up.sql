-- Files that members send. What readers see of one stands in the message that carries it.
CREATE TABLE attachment (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    uploader_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    size BIGINT NOT NULL,
    state VARCHAR(64) NOT NULL,
    stored_file_id BIGINT,
    media_type VARCHAR(255),
    width BIGINT,
    height BIGINT,
    has_thumbnail BOOLEAN NOT NULL,
    conversation_id BIGINT,
    seq BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    sweep_at BIGINT,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX attachment_sweep_at ON attachment (sweep_at);
CREATE INDEX attachment_stored_file_id ON attachment (stored_file_id);
CREATE INDEX attachment_uploader_id_sweep_at ON attachment (uploader_id, sweep_at);

-- Contents in the folder of files: equal contents of a tenant are kept once.
CREATE TABLE stored_file (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    state VARCHAR(64) NOT NULL,
    sha256 VARCHAR(64),
    size BIGINT NOT NULL,
    media_type VARCHAR(255),
    width BIGINT,
    height BIGINT,
    thumbnail_type VARCHAR(255),
    created_at BIGINT NOT NULL,
    sweep_at BIGINT,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX stored_file_tenant_id_sha256 ON stored_file (tenant_id, sha256);
CREATE INDEX stored_file_sweep_at ON stored_file (sweep_at);

-- How many bytes a tenant keeps.
CREATE TABLE tenant_usage (
    tenant_id BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
