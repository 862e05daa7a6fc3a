-- A room with a log. Columns that every message changes are in no index.
CREATE TABLE conversation (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    kind VARCHAR(16) NOT NULL,
    parent_id BIGINT,
    backstage_id BIGINT,
    customer_id BIGINT,
    agent_id BIGINT,
    status VARCHAR(16),
    priority VARCHAR(16) NOT NULL,
    subject VARCHAR(200) NOT NULL,
    tags MEDIUMTEXT NOT NULL,
    seq BIGINT NOT NULL,
    msg_count BIGINT NOT NULL,
    recall_count BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    last_rev BIGINT NOT NULL,
    version BIGINT NOT NULL,
    customer_read_seq BIGINT NOT NULL,
    staff_read_seq BIGINT NOT NULL,
    customer_delivered_seq BIGINT NOT NULL,
    staff_delivered_seq BIGINT NOT NULL,
    open_key VARCHAR(64),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    assigned_at BIGINT,
    closed_at BIGINT,
    close_reason VARCHAR(32),
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX conversation_open_key ON conversation (tenant_id, open_key);
CREATE INDEX conversation_status_id ON conversation (tenant_id, status, id);
CREATE INDEX conversation_agent_id_status_id ON conversation (tenant_id, agent_id, status, id);
CREATE INDEX conversation_customer_id_id ON conversation (tenant_id, customer_id, id);
CREATE INDEX conversation_kind_id ON conversation (tenant_id, kind, id);

-- A member's row in a conversation: the inbox row. Changes on state, never on traffic of others.
CREATE TABLE conversation_member (
    conversation_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_type VARCHAR(16) NOT NULL,
    active BOOLEAN NOT NULL,
    joined_seq BIGINT NOT NULL,
    left_seq BIGINT,
    read_seq BIGINT NOT NULL,
    read_ver BIGINT NOT NULL,
    last_sent_seq BIGINT NOT NULL,
    delivered_seq BIGINT NOT NULL,
    note_read_seq BIGINT NOT NULL,
    last_rev BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, member_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX conversation_member_rev ON conversation_member (tenant_id, rev);
CREATE INDEX conversation_member_member_id_rev ON conversation_member (member_id, rev);
CREATE INDEX conversation_member_member_id_active_conversation_id ON conversation_member (member_id, active, conversation_id);
CREATE INDEX conversation_member_member_id_active_last_rev ON conversation_member (member_id, active, last_rev);

-- The log. (conversation_id, seq) is the identity; seq is dense from 1; rows are never deleted or renumbered.
CREATE TABLE group_message (
    conversation_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    message_type SMALLINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    sender_id BIGINT,
    sender_role VARCHAR(16),
    sender_name VARCHAR(50) NOT NULL,
    sender_avatar VARCHAR(500) NOT NULL,
    client_msg_id VARCHAR(64),
    body_hash BIGINT,
    content MEDIUMTEXT NOT NULL,
    ref_seq BIGINT,
    msg_count BIGINT NOT NULL,
    recall_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    edited_at BIGINT,
    recalled_at BIGINT,
    PRIMARY KEY (conversation_id, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX group_message_client_msg_id ON group_message (conversation_id, sender_id, client_msg_id);
CREATE INDEX group_message_rev ON group_message (tenant_id, rev);

-- Earlier texts of edited and recalled messages, for supervisors.
CREATE TABLE message_revision (
    conversation_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    content MEDIUMTEXT NOT NULL,
    replaced_by BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, seq, revision)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every assignment of an agent to a conversation, with its reason, by whom, and its end.
CREATE TABLE assignment (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    agent_id BIGINT NOT NULL,
    reason VARCHAR(32) NOT NULL,
    note VARCHAR(500) NOT NULL,
    assigned_by BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason VARCHAR(32),
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX assignment_conversation_id_id ON assignment (conversation_id, id);
CREATE INDEX assignment_agent_id_id ON assignment (tenant_id, agent_id, id);
