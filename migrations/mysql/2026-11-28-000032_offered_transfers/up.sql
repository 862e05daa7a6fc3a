-- Of an offer to take a conversation over from the agent who serves it: from whom, by whose hand, and why.
ALTER TABLE offer ADD COLUMN from_agent_id BIGINT;
ALTER TABLE offer ADD COLUMN offered_by BIGINT;
ALTER TABLE offer ADD COLUMN reason VARCHAR(32);
ALTER TABLE offer ADD COLUMN note VARCHAR(2000) NOT NULL DEFAULT '';
