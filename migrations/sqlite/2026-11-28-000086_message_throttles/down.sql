DROP TABLE message_throttle;
ALTER TABLE message_rule DROP COLUMN throttle_by;
ALTER TABLE message_rule DROP COLUMN throttle_seconds;
ALTER TABLE message_rule DROP COLUMN throttle_count;
