DROP TABLE group_follow;
DROP INDEX conversation_member_group_id;
ALTER TABLE conversation_member DROP COLUMN group_id;
