-- Every transfer of a conversation to an agent or to a group: from whom, from which group, why and by whom, and how many
-- messages it had then.
CREATE TABLE transfer (
    id BIGINT NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    from_agent_id BIGINT,
    to_agent_id BIGINT,
    from_group_id BIGINT,
    to_group_id BIGINT,
    reason TEXT,
    note TEXT NOT NULL,
    transferred_by BIGINT,
    at BIGINT NOT NULL,
    msg_count BIGINT NOT NULL
);
CREATE INDEX transfer_conversation_id_id ON transfer (conversation_id, id);
INSERT INTO transfer (id, tenant_id, conversation_id, from_agent_id, to_agent_id, note, transferred_by, at, msg_count)
SELECT id, tenant_id, conversation_id, from_agent_id, agent_id, note, assigned_by, started_at, msg_count
FROM assignment WHERE reason = 'transfer';
