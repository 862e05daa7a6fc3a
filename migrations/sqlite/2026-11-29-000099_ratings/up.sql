-- What customers said of how they were served: at most one row for each end of a conversation, which the entry close_seq is.
CREATE TABLE rating (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    close_seq BIGINT NOT NULL,
    agent_id BIGINT,
    group_id BIGINT,
    score SMALLINT NOT NULL,
    comment TEXT NOT NULL,
    rated_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX rating_conversation_id_close_seq ON rating (conversation_id, close_seq);
CREATE INDEX rating_tenant_id_id ON rating (tenant_id, id);
CREATE INDEX rating_agent_id_id ON rating (agent_id, id);
