DROP INDEX stored_file_tenant_id_id ON stored_file;
DROP INDEX attachment_tenant_id_id ON attachment;
DROP INDEX conversation_tenant_id_id ON conversation;
DROP TABLE export;
