-- How far each follower of the log has come in each tenant, and which process works there. Times are the database's.
CREATE TABLE follower (
    name TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    lease_owner TEXT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (name, tenant_id)
);
