-- Which events are listed and replayed by their key.
CREATE INDEX message_event_tenant_id_key_id ON message_event (tenant_id, `key`, id);
