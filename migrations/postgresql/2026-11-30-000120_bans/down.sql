DROP INDEX tenant_bans_version;
ALTER TABLE tenant DROP COLUMN bans_version;
DROP TABLE ban;
