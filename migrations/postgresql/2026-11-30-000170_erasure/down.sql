DROP INDEX message_event_customer_id;
ALTER TABLE group_message DROP COLUMN erased_at;
DROP TABLE erasure;
