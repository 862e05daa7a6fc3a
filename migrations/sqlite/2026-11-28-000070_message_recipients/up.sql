-- A person with addresses of its own for messages (message_work_user of the source). Of one that is a member the
-- addresses stand before the member's. phone is E.164; quiet_from and quiet_until are minutes of the day in its time
-- zone, both or none.
CREATE TABLE message_recipient (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_id BIGINT,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    email TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    quiet_from BIGINT,
    quiet_until BIGINT,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX message_recipient_tenant_id_id ON message_recipient (tenant_id, id);
CREATE UNIQUE INDEX message_recipient_member_id ON message_recipient (member_id);

-- What a person does not want to be sent: on a channel, a priority or (empty) everything but codes. person_id is a member
-- or a message recipient.
CREATE TABLE message_opt_out (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    priority TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX message_opt_out_person_id ON message_opt_out (person_id, channel, priority);
CREATE INDEX message_opt_out_tenant_id_id ON message_opt_out (tenant_id, id);

-- Whom a rule's messages are for (a JSON list), and what becomes of them in quiet hours.
ALTER TABLE message_rule ADD COLUMN recipients TEXT NOT NULL DEFAULT '[]';
ALTER TABLE message_rule ADD COLUMN quiet_hours TEXT NOT NULL DEFAULT 'defer';

-- The customer whom an event is about, and the agent who served it.
ALTER TABLE message_event ADD COLUMN customer_id BIGINT;
ALTER TABLE message_event ADD COLUMN agent_id BIGINT;

-- To whom a message goes, at which address, and what the provider calls it (msgid of the source).
ALTER TABLE message_send ADD COLUMN recipient_type TEXT;
ALTER TABLE message_send ADD COLUMN recipient_id BIGINT;
ALTER TABLE message_send ADD COLUMN address TEXT;
ALTER TABLE message_send ADD COLUMN provider_message_id TEXT;
CREATE INDEX message_send_provider_message_id ON message_send (account_id, provider_message_id)
    WHERE provider_message_id IS NOT NULL;
CREATE INDEX message_send_recipient_id ON message_send (tenant_id, recipient_id, id)
    WHERE recipient_id IS NOT NULL;
