-- How the conversations that wait for a group find their agents; absent: as the tenant's others do.
ALTER TABLE chat_group ADD COLUMN routing_strategy VARCHAR(16);
CREATE INDEX chat_group_routing_strategy ON chat_group (tenant_id, routing_strategy);
