DROP TABLE presence_change;
DROP TABLE agent_connection;
ALTER TABLE agent_status DROP COLUMN last_seen;
ALTER TABLE agent_status DROP COLUMN connected;
