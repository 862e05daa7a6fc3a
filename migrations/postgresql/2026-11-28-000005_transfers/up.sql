-- Whom an agent got a conversation from, and how many messages it had then.
ALTER TABLE assignment ADD COLUMN from_agent_id BIGINT;
ALTER TABLE assignment ADD COLUMN msg_count BIGINT NOT NULL DEFAULT 0;
