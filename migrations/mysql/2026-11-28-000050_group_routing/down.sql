DROP INDEX chat_group_routing_strategy ON chat_group;
ALTER TABLE chat_group DROP COLUMN routing_strategy;
