DROP INDEX message_event_customer_id ON message_event;
ALTER TABLE group_message DROP COLUMN erased_at;
DROP TABLE erasure;
