DROP TABLE api_key;
ALTER TABLE member DROP COLUMN service_account;
