-- Filters of conversations that members of the staff keep, for themselves or for all of the tenant's staff. filter is the
-- JSON that was given; it is read anew whenever it is used.
CREATE TABLE saved_filter (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    owner_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    filter TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX saved_filter_owner_id ON saved_filter (tenant_id, owner_id, id);
CREATE INDEX saved_filter_shared ON saved_filter (tenant_id, shared, id);
