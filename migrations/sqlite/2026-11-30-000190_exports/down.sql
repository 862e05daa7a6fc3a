DROP INDEX stored_file_tenant_id_id;
DROP INDEX attachment_tenant_id_id;
DROP INDEX conversation_tenant_id_id;
DROP TABLE export;
