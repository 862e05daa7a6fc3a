ALTER TABLE message_fallback DROP COLUMN locale;
ALTER TABLE message_send DROP COLUMN locale;
ALTER TABLE message_template_version DROP COLUMN translations;
ALTER TABLE message_template_version DROP COLUMN locale;
ALTER TABLE message_template DROP COLUMN translations;
ALTER TABLE message_template DROP COLUMN locale;
ALTER TABLE message_recipient DROP COLUMN locale;
ALTER TABLE member DROP COLUMN locale;
