-- A merchant's account with a provider, or an address of its own that receives: where sends go. sealed_config holds
-- the address and secrets, sealed with the master key. paused_until is unix milliseconds: nothing is sent before it.
CREATE TABLE channel_account (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    sealed_config TEXT NOT NULL,
    host TEXT NOT NULL,
    limit_count BIGINT NOT NULL,
    limit_seconds BIGINT NOT NULL,
    fail_streak BIGINT NOT NULL,
    paused_until BIGINT NOT NULL,
    pause_reason TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX channel_account_tenant_id_id ON channel_account (tenant_id, id);

-- What is said: a draft, and the number of the version that is published (0: none yet). content and variables are
-- JSON.
CREATE TABLE message_template (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    channel TEXT NOT NULL,
    content TEXT NOT NULL,
    variables TEXT NOT NULL,
    version BIGINT NOT NULL,
    changed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX message_template_tenant_id_id ON message_template (tenant_id, id);

-- What was published. A version never changes: sends that wait keep theirs.
CREATE TABLE message_template_version (
    template_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    content TEXT NOT NULL,
    variables TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (template_id, version)
);

-- What is sent when something with this key happens. conditions is a JSON list.
CREATE TABLE message_rule (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    title TEXT NOT NULL,
    "key" TEXT NOT NULL,
    template_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    priority BIGINT NOT NULL,
    conditions TEXT NOT NULL,
    delay_seconds BIGINT NOT NULL,
    ttl_seconds BIGINT NOT NULL,
    dedupe_seconds BIGINT NOT NULL,
    dedupe_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX message_rule_tenant_id_key ON message_rule (tenant_id, "key", id);
CREATE INDEX message_rule_tenant_id_id ON message_rule (tenant_id, id);

-- What happened. decisions is a JSON list of what each rule made of it, written when the rules were applied
-- (expanded_at).
CREATE TABLE message_event (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    "key" TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    expanded_at BIGINT,
    decisions TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX message_event_pending ON message_event (tenant_id, id) WHERE expanded_at IS NULL;
CREATE INDEX message_event_tenant_id_id ON message_event (tenant_id, id);

-- One message to one receiver: the queue and the record. step names which rule made it of its event, so that an event
-- makes each of its sends once. number counts the attempts, attempts those that count.
CREATE TABLE message_send (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    step TEXT NOT NULL,
    rule_id BIGINT NOT NULL,
    template_id BIGINT NOT NULL,
    template_version BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    body TEXT NOT NULL,
    number BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    slowed BIGINT NOT NULL,
    may_duplicate BOOLEAN NOT NULL,
    next_at BIGINT NOT NULL,
    expires_at BIGINT,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    last_code TEXT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    sent_at BIGINT,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX message_send_step ON message_send (event_id, step);
CREATE INDEX message_send_lane ON message_send (account_id, status, priority, next_at, id);
CREATE INDEX message_send_lease ON message_send (status, lease_until);
CREATE INDEX message_send_tenant_id_id ON message_send (tenant_id, id);
CREATE INDEX message_send_tenant_id_status ON message_send (tenant_id, status, id);
CREATE INDEX message_send_tenant_id_rule ON message_send (tenant_id, rule_id, id);

-- One attempt of a send, written when it is claimed; phase says how far it came.
CREATE TABLE message_attempt (
    send_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    phase TEXT NOT NULL,
    outcome TEXT,
    http_status BIGINT,
    code TEXT,
    message TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (send_id, number)
);
CREATE INDEX message_attempt_account ON message_attempt (account_id, ended_at);

-- Until when a rule takes events with this dedupe key for repetitions.
CREATE TABLE message_dedupe (
    rule_id BIGINT NOT NULL,
    hash TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (rule_id, hash)
);
CREATE INDEX message_dedupe_until ON message_dedupe (until);

-- Which request made what, so that a repeated one makes nothing again: the ids of what was made, by the key that the
-- client gave.
CREATE TABLE idempotency_key (
    tenant_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    route TEXT NOT NULL,
    "key" TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    made TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, member_id, route, "key")
);
CREATE INDEX idempotency_key_created_at ON idempotency_key (created_at);
