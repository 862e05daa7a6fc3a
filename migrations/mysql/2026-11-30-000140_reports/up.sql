-- Reports: conversations that are not over, as far as the follower has read the log. A stretch lasts from the opening or the
-- reopening of a conversation to its end. asked_at is the first message of the customer that nobody has answered yet.
CREATE TABLE report_stretch (
    conversation_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    began_at BIGINT NOT NULL,
    group_id BIGINT,
    waiting_since BIGINT,
    agent_id BIGINT,
    served_since BIGINT,
    asked_at BIGINT,
    is_answered BOOLEAN NOT NULL,
    PRIMARY KEY (conversation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX report_stretch_tenant_id ON report_stretch (tenant_id);

-- Reports: what was measured, added up by quarters of an hour (unix time / 900 s), agent, group and tenant (dimension_id 0: no
-- agent, no group, the tenant) and bucket of the histogram (of ratings: the score). measures says how many fell into it, total
-- what they come to.
CREATE TABLE report_bucket (
    tenant_id BIGINT NOT NULL,
    metric VARCHAR(32) NOT NULL,
    dimension VARCHAR(16) NOT NULL,
    quarter_hour BIGINT NOT NULL,
    dimension_id BIGINT NOT NULL,
    bucket SMALLINT NOT NULL,
    measures BIGINT NOT NULL,
    total BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, metric, dimension, quarter_hour, dimension_id, bucket)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
