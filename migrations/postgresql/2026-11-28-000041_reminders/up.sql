-- What became of a conversation's turns, as far as its messages do not say it: up to which entry the customer and the
-- agent were reminded (0: never), which agent that was, and since which entry the agent is to speak whatever was said
-- before (0: never). Only conversations where that happened have a row.
CREATE TABLE conversation_reminder (
    conversation_id BIGINT NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    customer_seq BIGINT NOT NULL,
    agent_seq BIGINT NOT NULL,
    agent_id BIGINT,
    restart_seq BIGINT NOT NULL,
    restarted_at BIGINT NOT NULL
);
