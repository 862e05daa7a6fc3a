-- Where a conversation goes on that was closed because its visitor was recognised.
ALTER TABLE conversation ADD COLUMN merged_into_id BIGINT;

-- Since when a conversation waits: the order of the queue. NULL while it is served or closed.
ALTER TABLE conversation ADD COLUMN waiting_since BIGINT;
UPDATE conversation SET waiting_since = created_at WHERE status = 'open';
CREATE INDEX conversation_waiting_since ON conversation (tenant_id, waiting_since, id) WHERE waiting_since IS NOT NULL;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('conversation', 'conversation_waiting_since', '50000 2500 1 1 noskipscan');
