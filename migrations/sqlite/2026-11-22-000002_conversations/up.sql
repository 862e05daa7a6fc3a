-- A room with a log. Columns that every message changes are in no index.
CREATE TABLE conversation (
    id INTEGER NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    parent_id BIGINT,
    backstage_id BIGINT,
    customer_id BIGINT,
    agent_id BIGINT,
    status TEXT,
    priority TEXT NOT NULL,
    subject TEXT NOT NULL,
    tags TEXT NOT NULL,
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
    open_key TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    assigned_at BIGINT,
    closed_at BIGINT,
    close_reason TEXT
);
CREATE UNIQUE INDEX conversation_open_key ON conversation (tenant_id, open_key) WHERE open_key IS NOT NULL;
CREATE INDEX conversation_status_id ON conversation (tenant_id, status, id);
CREATE INDEX conversation_agent_id_status_id ON conversation (tenant_id, agent_id, status, id);
CREATE INDEX conversation_customer_id_id ON conversation (tenant_id, customer_id, id);
CREATE INDEX conversation_kind_id ON conversation (tenant_id, kind, id);

-- A member's row in a conversation: the inbox row. Changes on state, never on traffic of others.
CREATE TABLE conversation_member (
    conversation_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_type TEXT NOT NULL,
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
) WITHOUT ROWID;
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
    kind TEXT NOT NULL,
    sender_id BIGINT,
    sender_role TEXT,
    sender_name TEXT NOT NULL,
    sender_avatar TEXT NOT NULL,
    client_msg_id TEXT,
    body_hash BIGINT,
    content TEXT NOT NULL,
    ref_seq BIGINT,
    msg_count BIGINT NOT NULL,
    recall_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    edited_at BIGINT,
    recalled_at BIGINT,
    PRIMARY KEY (conversation_id, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX group_message_client_msg_id ON group_message (conversation_id, sender_id, client_msg_id) WHERE client_msg_id IS NOT NULL;
CREATE INDEX group_message_rev ON group_message (tenant_id, rev);

-- Earlier texts of edited and recalled messages, for supervisors.
CREATE TABLE message_revision (
    conversation_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    replaced_by BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, seq, revision)
);

-- Every assignment of an agent to a conversation, with its reason, by whom, and its end.
CREATE TABLE assignment (
    id INTEGER NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    agent_id BIGINT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    assigned_by BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT
);
CREATE INDEX assignment_conversation_id_id ON assignment (conversation_id, id);
CREATE INDEX assignment_agent_id_id ON assignment (tenant_id, agent_id, id);

-- What the planner should believe, for it gathers no statistics by itself: a tenant has very many rows, a room and a
-- member few. Without this, SQLite guesses ten rows for "this tenant" and prefers reading the tenant's whole index to
-- looking up more than a handful of ids. Rows, then rows for each longer prefix of the index's columns.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('conversation', 'conversation_kind_id', '1000000 50000 50000 1 noskipscan'),
    ('conversation', 'conversation_customer_id_id', '1000000 50000 3 1 noskipscan'),
    ('conversation', 'conversation_agent_id_status_id', '1000000 50000 2000 500 1 noskipscan'),
    ('conversation', 'conversation_status_id', '1000000 50000 20000 1 noskipscan'),
    ('conversation', 'conversation_open_key', '50000 2500 1 noskipscan'),
    ('conversation_member', 'conversation_member', '2000000 2 1'),
    ('conversation_member', 'conversation_member_rev', '2000000 100000 2 noskipscan'),
    ('conversation_member', 'conversation_member_member_id_rev', '2000000 20 1 noskipscan'),
    ('conversation_member', 'conversation_member_member_id_active_last_rev', '2000000 20 10 1 noskipscan'),
    ('conversation_member', 'conversation_member_member_id_active_conversation_id', '2000000 20 10 1 noskipscan'),
    ('group_message', 'group_message', '10000000 20 1'),
    ('group_message', 'group_message_rev', '10000000 500000 2 noskipscan'),
    ('group_message', 'group_message_client_msg_id', '10000000 20 10 1 noskipscan'),
    ('assignment', 'assignment_conversation_id_id', '1000000 2 1 noskipscan'),
    ('assignment', 'assignment_agent_id_id', '1000000 50000 1000 1 noskipscan'),
    ('member', 'member_login_name', '10000 500 1 noskipscan'),
    ('member', 'member_external_id', '100000 5000 1 noskipscan'),
    ('member', 'member_id', '1000000 50000 1 noskipscan'),
    ('member', 'member_role_status_id', '1000000 50000 25000 20000 1 noskipscan'),
    ('member', 'member_status_id', '1000000 50000 40000 1 noskipscan'),
    ('member', 'member_email', '1000000 50000 5000 noskipscan'),
    ('member', 'member_mobile', '1000000 50000 5000 noskipscan'),
    ('member', 'member_parent_id', '1000000 50000 1000 noskipscan'),
    ('member', 'member_rev', '1000000 50000 2 noskipscan'),
    ('member', 'member_merged_into', '1000000 2 noskipscan'),
    ('member', 'member_updated_at', '1000000 1 noskipscan'),
    ('auth_session', 'auth_session_member_id', '1000000 50000 2 noskipscan'),
    ('auth_session', 'auth_session_rev', '1000000 50000 10 noskipscan'),
    ('auth_session', 'auth_session_revoked_at', '1000000 1000 noskipscan');
