DROP INDEX message_send_lease;
CREATE INDEX message_send_lease ON message_send (status, lease_until);
DROP INDEX message_event_tenant_id_key_id;
