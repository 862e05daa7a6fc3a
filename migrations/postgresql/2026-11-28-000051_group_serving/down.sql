DROP INDEX chat_group_serving;
ALTER TABLE chat_group DROP COLUMN serving;
