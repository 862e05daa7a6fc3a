DROP INDEX chat_group_routing_strategy;
ALTER TABLE chat_group DROP COLUMN routing_strategy;
