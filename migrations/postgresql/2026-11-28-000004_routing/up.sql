-- The place of a waiting conversation in the queue: smaller comes first. NULL while it is served or closed. Made from
-- priority, whether it came back from an agent, and waiting_since; see domain::conversation::queue_key.
ALTER TABLE conversation ADD COLUMN queue_key BIGINT;
UPDATE conversation SET queue_key = waiting_since + 100000000000000 * (1 + CASE priority
    WHEN 'urgent' THEN 0 WHEN 'high' THEN 2 WHEN 'normal' THEN 4 ELSE 6 END)
WHERE waiting_since IS NOT NULL;
CREATE INDEX conversation_queue_key ON conversation (tenant_id, queue_key, id) WHERE queue_key IS NOT NULL;

-- What a conversation asks of its agent. Only conversations that ask for something have a row. The skills are JSON lists
-- of strings.
CREATE TABLE conversation_needs (
    conversation_id BIGINT NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    required_skills TEXT NOT NULL,
    preferred_skills TEXT NOT NULL,
    last_agent_id BIGINT
);

-- Offers of waiting conversations to agents, and what became of them.
CREATE TABLE offer (
    id BIGINT NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    agent_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    offered_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    rev BIGINT NOT NULL
);
CREATE INDEX offer_conversation_id_id ON offer (conversation_id, id);
CREATE INDEX offer_rev ON offer (tenant_id, rev);
CREATE INDEX offer_state_expires_at ON offer (state, expires_at);

-- When a conversation was last given to the member, when one of its last began or ended or it came online, and how many
-- offers in a row it let pass.
ALTER TABLE agent_status ADD COLUMN last_assigned_at BIGINT;
ALTER TABLE agent_status ADD COLUMN idle_since BIGINT;
ALTER TABLE agent_status ADD COLUMN misses BIGINT NOT NULL DEFAULT 0;

-- NULL in assigned_by: the service chose the agent.
ALTER TABLE assignment ALTER COLUMN assigned_by DROP NOT NULL;
CREATE INDEX assignment_started_at ON assignment (tenant_id, started_at);
