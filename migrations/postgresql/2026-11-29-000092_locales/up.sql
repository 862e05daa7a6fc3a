-- Languages, as tags of BCP 47. member: which the person reads; empty: not known. message_recipient: the same; empty: as its
-- member. message_template and its versions: of content, and other contents as a JSON list. message_send: in which it is
-- said; message_fallback: in which it would be.
ALTER TABLE member ADD COLUMN locale TEXT NOT NULL DEFAULT '';
ALTER TABLE message_recipient ADD COLUMN locale TEXT NOT NULL DEFAULT '';
ALTER TABLE message_template ADD COLUMN locale TEXT;
ALTER TABLE message_template ADD COLUMN translations TEXT;
ALTER TABLE message_template_version ADD COLUMN locale TEXT;
ALTER TABLE message_template_version ADD COLUMN translations TEXT;
ALTER TABLE message_send ADD COLUMN locale TEXT;
ALTER TABLE message_fallback ADD COLUMN locale TEXT;
