DROP INDEX tenant_bans_version ON tenant;
ALTER TABLE tenant DROP COLUMN bans_version;
DROP TABLE ban;
