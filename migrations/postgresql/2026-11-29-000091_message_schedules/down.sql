DROP INDEX message_rule_schedule_next_at;
ALTER TABLE message_rule DROP COLUMN schedule_next_at;
ALTER TABLE message_rule DROP COLUMN schedule;
