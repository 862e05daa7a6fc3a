DROP INDEX chat_group_serving ON chat_group;
ALTER TABLE chat_group DROP COLUMN serving;
