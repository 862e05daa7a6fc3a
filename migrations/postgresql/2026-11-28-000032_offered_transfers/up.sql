-- Of an offer to take a conversation over from the agent who serves it: from whom, by whose hand, and why.
ALTER TABLE offer ADD COLUMN from_agent_id BIGINT;
ALTER TABLE offer ADD COLUMN offered_by BIGINT;
ALTER TABLE offer ADD COLUMN reason TEXT;
ALTER TABLE offer ADD COLUMN note TEXT NOT NULL DEFAULT '';
