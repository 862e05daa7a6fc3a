-- Which events are listed and replayed by their key.
CREATE INDEX message_event_tenant_id_key_id ON message_event (tenant_id, "key", id);

-- What is on its way, by the end of its lease. An index that begins with the state was taken for the other statements that
-- name one, and led through all that waits.
DROP INDEX message_send_lease;
CREATE INDEX message_send_lease ON message_send (lease_until) WHERE lease_owner IS NOT NULL;
