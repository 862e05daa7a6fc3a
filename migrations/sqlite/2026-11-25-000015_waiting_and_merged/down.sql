DROP INDEX conversation_waiting_since;
ALTER TABLE conversation DROP COLUMN waiting_since;
ALTER TABLE conversation DROP COLUMN merged_into_id;
