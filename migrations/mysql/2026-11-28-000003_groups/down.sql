DROP INDEX conversation_group_id_waiting_since ON conversation;
DROP INDEX conversation_group_id_status_id ON conversation;
ALTER TABLE conversation DROP COLUMN group_id;
DROP TABLE group_member;
DROP TABLE chat_group;
