-- The store itself: one row. epoch changes when history may have gone back (restore).
CREATE TABLE instance (
    id BIGINT NOT NULL,
    epoch VARCHAR(32) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Leased node numbers: the middle part of every id.
CREATE TABLE node (
    number INT NOT NULL,
    holder VARCHAR(64) NOT NULL,
    leased_until BIGINT NOT NULL,
    PRIMARY KEY (number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row a committed batch: how a lane learns the outcome of a COMMIT whose answer was lost.
CREATE TABLE lane_batch (
    id BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Merchants.
CREATE TABLE tenant (
    id BIGINT NOT NULL,
    slug VARCHAR(64) NOT NULL,
    name VARCHAR(200) NOT NULL,
    status VARCHAR(16) NOT NULL,
    settings MEDIUMTEXT NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (slug)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX tenant_status ON tenant (status);

-- The hot row of a tenant: the last rev given out. Locked by every batch that writes for the tenant.
CREATE TABLE tenant_log (
    tenant_id BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every account of a tenant: visitors, agents, supervisors, administrators.
CREATE TABLE member (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    role VARCHAR(16) NOT NULL,
    login_name VARCHAR(125),
    password_hash VARCHAR(100),
    nickname VARCHAR(50) NOT NULL,
    avatar VARCHAR(500) NOT NULL,
    email VARCHAR(125) NOT NULL,
    mobile VARCHAR(32) NOT NULL,
    external_id VARCHAR(125),
    parent_id BIGINT,
    tags MEDIUMTEXT NOT NULL,
    skills MEDIUMTEXT NOT NULL,
    max_accept INT NOT NULL,
    status VARCHAR(16) NOT NULL,
    login_fail_count INT NOT NULL,
    locked_until BIGINT,
    last_login_at BIGINT,
    last_login_ip VARCHAR(64) NOT NULL,
    last_seen BIGINT,
    expires_at BIGINT,
    merged_into BIGINT,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX member_login_name ON member (tenant_id, login_name);
CREATE UNIQUE INDEX member_external_id ON member (tenant_id, external_id);
CREATE INDEX member_id ON member (tenant_id, id);
CREATE INDEX member_role_status_id ON member (tenant_id, role, status, id);
CREATE INDEX member_status_id ON member (tenant_id, status, id);
CREATE INDEX member_email ON member (tenant_id, email);
CREATE INDEX member_mobile ON member (tenant_id, mobile);
CREATE INDEX member_parent_id ON member (tenant_id, parent_id);
CREATE INDEX member_rev ON member (tenant_id, rev);
CREATE INDEX member_merged_into ON member (merged_into);
CREATE INDEX member_updated_at ON member (updated_at);

-- A signed-in device: one family of refresh tokens (hashes only).
CREATE TABLE auth_session (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    device VARCHAR(64) NOT NULL,
    user_agent VARCHAR(300) NOT NULL,
    ip VARCHAR(64) NOT NULL,
    generation INT NOT NULL,
    refresh_parent VARCHAR(64),
    refresh_current MEDIUMTEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revoke_reason VARCHAR(32),
    rev BIGINT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (member_id) REFERENCES member (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX auth_session_member_id ON auth_session (tenant_id, member_id);
CREATE INDEX auth_session_rev ON auth_session (tenant_id, rev);
CREATE INDEX auth_session_revoked_at ON auth_session (revoked_at);

-- Keys with which a tenant signs the identity of its visitors (HS256; sealed at rest).
CREATE TABLE identity_key (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    kid VARCHAR(64) NOT NULL,
    sealed_secret MEDIUMTEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, kid),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
