-- By which group a member is in a conversation that is docked to it.
ALTER TABLE conversation_member ADD COLUMN group_id BIGINT;
CREATE INDEX conversation_member_group_id ON conversation_member (member_id, group_id);

-- Who came into a group or left it, as long as the conversations that are docked to the group do not follow yet.
CREATE TABLE group_follow (
    group_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    PRIMARY KEY (group_id, member_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
