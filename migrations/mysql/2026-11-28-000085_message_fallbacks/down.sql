ALTER TABLE message_send DROP COLUMN fallback_of;
DROP TABLE message_fallback;
ALTER TABLE message_rule DROP COLUMN fallback_after_seconds;
ALTER TABLE message_rule DROP COLUMN fallback_on;
ALTER TABLE message_rule DROP COLUMN fallback_account_id;
ALTER TABLE message_rule DROP COLUMN fallback_template_id;
