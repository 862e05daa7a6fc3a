DROP INDEX message_send_lease;
CREATE INDEX message_send_lease ON message_send (status, lease_until);
DROP INDEX message_event_tenant_id_key_id;
DROP INDEX message_event_pending;
CREATE INDEX message_event_pending ON message_event (tenant_id, id) WHERE expanded_at IS NULL;
