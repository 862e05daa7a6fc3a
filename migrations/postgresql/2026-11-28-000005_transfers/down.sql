ALTER TABLE assignment DROP COLUMN msg_count;
ALTER TABLE assignment DROP COLUMN from_agent_id;
