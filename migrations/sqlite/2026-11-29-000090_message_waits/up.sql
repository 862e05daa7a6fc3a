-- After how many seconds in the queue a rule with the key conversation.waiting_long hears of a conversation.
ALTER TABLE message_rule ADD COLUMN waiting_seconds BIGINT;
CREATE INDEX message_rule_key ON message_rule ("key", id);

-- rule_id: the only rule that an event is for. origin names what must make one event only, however often it is found.
ALTER TABLE message_event ADD COLUMN rule_id BIGINT;
ALTER TABLE message_event ADD COLUMN origin TEXT;
CREATE UNIQUE INDEX message_event_origin ON message_event (tenant_id, origin) WHERE origin IS NOT NULL;
