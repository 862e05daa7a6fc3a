-- SLA policies: how fast customers are to be answered and conversations to be over, in seconds. group_ids and priorities are
-- JSON lists; empty: all.
CREATE TABLE sla_policy (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    position BIGINT NOT NULL,
    group_ids MEDIUMTEXT NOT NULL,
    priorities MEDIUMTEXT NOT NULL,
    first_response_seconds BIGINT,
    next_response_seconds BIGINT,
    resolution_seconds BIGINT,
    warn_before_seconds BIGINT,
    hours VARCHAR(32) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX sla_policy_tenant_id_name ON sla_policy (tenant_id, name);
CREATE INDEX sla_policy_tenant_id_position_id ON sla_policy (tenant_id, position, id);

-- Conversations that are not over, as far as the follower has read the log of tenants with SLA policies. asked_at and asked_seq
-- are the first message of the customer that nobody has answered yet.
CREATE TABLE sla_stretch (
    conversation_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    began_at BIGINT NOT NULL,
    began_seq BIGINT NOT NULL,
    group_id BIGINT,
    priority VARCHAR(32) NOT NULL,
    asked_at BIGINT,
    asked_seq BIGINT,
    is_answered BOOLEAN NOT NULL,
    PRIMARY KEY (conversation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX sla_stretch_tenant_id_conversation_id ON sla_stretch (tenant_id, conversation_id);

-- SLA clocks, by conversation, metric and the entry with which they began. next_at is when something is to be told of one.
CREATE TABLE sla_clock (
    conversation_id BIGINT NOT NULL,
    metric VARCHAR(32) NOT NULL,
    started_seq BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    policy_id BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    due_at BIGINT,
    warn_at BIGINT,
    warned_at BIGINT,
    breached_at BIGINT,
    ended_at BIGINT,
    state VARCHAR(32) NOT NULL,
    next_at BIGINT,
    PRIMARY KEY (conversation_id, metric, started_seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX sla_clock_next_at_tenant_id ON sla_clock (next_at, tenant_id);
CREATE INDEX sla_clock_tenant_id_next_at ON sla_clock (tenant_id, next_at);

-- Tenants whose policies or business hours changed: their clocks are given new targets, up to after_id already.
CREATE TABLE sla_refresh (
    tenant_id BIGINT NOT NULL,
    after_id BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
