DROP TABLE store_probe;
ALTER TABLE node DROP COLUMN ids_until;
