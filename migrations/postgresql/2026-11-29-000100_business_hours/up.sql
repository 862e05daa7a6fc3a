-- When desks are open: weekly intervals and exceptions as JSON, because they are read and written as a whole.
CREATE TABLE business_hours (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    weekly TEXT NOT NULL,
    exceptions TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX business_hours_tenant_id_name ON business_hours (tenant_id, name);
CREATE INDEX business_hours_tenant_id_id ON business_hours (tenant_id, id);

-- For whom they are: a group, or (group_id 0) all that is no group's with hours of its own.
CREATE TABLE business_hours_group (
    tenant_id BIGINT NOT NULL,
    group_id BIGINT NOT NULL,
    business_hours_id BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, group_id)
);
