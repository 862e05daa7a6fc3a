DROP INDEX message_event_origin;
ALTER TABLE message_event DROP COLUMN origin;
ALTER TABLE message_event DROP COLUMN rule_id;
DROP INDEX message_rule_key;
ALTER TABLE message_rule DROP COLUMN waiting_seconds;
