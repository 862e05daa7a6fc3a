UPDATE assignment SET assigned_by = agent_id WHERE assigned_by IS NULL;
DROP INDEX assignment_started_at;
ALTER TABLE agent_status DROP COLUMN misses;
ALTER TABLE agent_status DROP COLUMN idle_since;
ALTER TABLE agent_status DROP COLUMN last_assigned_at;
DROP TABLE offer;
DROP TABLE conversation_needs;
DROP INDEX conversation_queue_key;
ALTER TABLE conversation DROP COLUMN queue_key;
