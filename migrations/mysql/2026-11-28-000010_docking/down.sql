DROP TABLE group_follow;
DROP INDEX conversation_member_group_id ON conversation_member;
ALTER TABLE conversation_member DROP COLUMN group_id;
