DROP TABLE tenant_usage;
DROP TABLE stored_file;
DROP TABLE attachment;
