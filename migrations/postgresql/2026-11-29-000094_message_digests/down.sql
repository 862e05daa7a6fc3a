DROP TABLE message_digest_event;
DROP TABLE message_digest;
ALTER TABLE message_rule DROP COLUMN digest;
