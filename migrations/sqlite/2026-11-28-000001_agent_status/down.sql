DROP TABLE agent_status;
