DROP INDEX message_event_origin ON message_event;
ALTER TABLE message_event DROP COLUMN origin;
ALTER TABLE message_event DROP COLUMN rule_id;
DROP INDEX message_rule_key ON message_rule;
ALTER TABLE message_rule DROP COLUMN waiting_seconds;
