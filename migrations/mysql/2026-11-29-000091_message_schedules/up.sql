-- schedule: the JSON of the cron expression and the time zone by which a rule sends by itself. schedule_next_at is its next
-- time that was not told yet, unix milliseconds.
ALTER TABLE message_rule ADD COLUMN schedule VARCHAR(500);
ALTER TABLE message_rule ADD COLUMN schedule_next_at BIGINT;
CREATE INDEX message_rule_schedule_next_at ON message_rule (schedule_next_at);
