-- Standing groups of the staff. name_key is the folded name of a living group: a name is given to one of them at a time.
CREATE TABLE chat_group (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    name VARCHAR(100) NOT NULL,
    name_key VARCHAR(400),
    description VARCHAR(500) NOT NULL,
    room_id BIGINT,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX chat_group_name_key ON chat_group (tenant_id, name_key);
CREATE INDEX chat_group_id ON chat_group (tenant_id, id);

-- Who is in which group. The row of who has left stays: its rev tells the other processes that it left.
CREATE TABLE group_member (
    group_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_type VARCHAR(16) NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    left_at BIGINT,
    PRIMARY KEY (group_id, member_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX group_member_member_id ON group_member (member_id, left_at, group_id);
CREATE INDEX group_member_rev ON group_member (tenant_id, rev);

-- Whose matter a conversation is.
ALTER TABLE conversation ADD COLUMN group_id BIGINT;
CREATE INDEX conversation_group_id_status_id ON conversation (tenant_id, group_id, status, id);
CREATE INDEX conversation_group_id_waiting_since ON conversation (tenant_id, group_id, waiting_since, id);
