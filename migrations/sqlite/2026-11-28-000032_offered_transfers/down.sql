DELETE FROM offer WHERE from_agent_id IS NOT NULL;
ALTER TABLE offer DROP COLUMN note;
ALTER TABLE offer DROP COLUMN reason;
ALTER TABLE offer DROP COLUMN offered_by;
ALTER TABLE offer DROP COLUMN from_agent_id;
