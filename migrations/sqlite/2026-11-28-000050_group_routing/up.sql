-- How the conversations that wait for a group find their agents; absent: as the tenant's others do.
ALTER TABLE chat_group ADD COLUMN routing_strategy TEXT;
CREATE INDEX chat_group_routing_strategy ON chat_group (tenant_id, routing_strategy)
    WHERE routing_strategy IS NOT NULL;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('chat_group', 'chat_group_routing_strategy', '100 5 2 noskipscan');
