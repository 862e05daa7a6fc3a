-- Up to which time, by its holder's own clock, ids were made with a node number. Leases are by the database's clock.
ALTER TABLE node ADD COLUMN ids_until BIGINT NOT NULL DEFAULT 0;

-- What readiness writes to learn whether the store takes writes again after it refused one: one row.
CREATE TABLE store_probe (
    id BIGINT NOT NULL PRIMARY KEY,
    padding TEXT NOT NULL
);
