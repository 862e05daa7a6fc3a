-- Standing groups of the staff. name_key is the folded name of a living group: a name is given to one of them at a time.
CREATE TABLE chat_group (
    id INTEGER NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT,
    description TEXT NOT NULL,
    room_id BIGINT,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX chat_group_name_key ON chat_group (tenant_id, name_key) WHERE name_key IS NOT NULL;
CREATE INDEX chat_group_id ON chat_group (tenant_id, id);

-- Who is in which group. The row of who has left stays: its rev tells the other processes that it left.
CREATE TABLE group_member (
    group_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_type TEXT NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    left_at BIGINT,
    PRIMARY KEY (group_id, member_id)
) WITHOUT ROWID;
CREATE INDEX group_member_member_id ON group_member (member_id, left_at, group_id);
CREATE INDEX group_member_rev ON group_member (tenant_id, rev);

-- Whose matter a conversation is.
ALTER TABLE conversation ADD COLUMN group_id BIGINT;
CREATE INDEX conversation_group_id_status_id ON conversation (tenant_id, group_id, status, id);
CREATE INDEX conversation_group_id_waiting_since ON conversation (tenant_id, group_id, waiting_since, id)
    WHERE waiting_since IS NOT NULL;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('chat_group', 'chat_group_name_key', '1000 50 1 noskipscan'),
    ('chat_group', 'chat_group_id', '1000 50 1 noskipscan'),
    ('group_member', 'group_member', '10000 20 1 noskipscan'),
    ('group_member', 'group_member_member_id', '10000 4 3 1 noskipscan'),
    ('group_member', 'group_member_rev', '10000 500 2 noskipscan'),
    ('conversation', 'conversation_group_id_status_id', '1000000 50000 5000 2000 1 noskipscan'),
    ('conversation', 'conversation_group_id_waiting_since', '50000 2500 600 1 1 noskipscan');
