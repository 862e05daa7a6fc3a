-- Persons whose data is erased. The row holds no data of the person, and stays as the proof.
CREATE TABLE erasure (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    -- running, done
    state TEXT NOT NULL,
    -- NULL: the operator, by a restore.
    requested_by BIGINT,
    requested_at BIGINT NOT NULL,
    finished_at BIGINT,
    -- JSON: how many rows of each table were erased.
    receipt TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX erasure_member_id ON erasure (tenant_id, member_id);
CREATE INDEX erasure_tenant_id_id ON erasure (tenant_id, id);
CREATE INDEX erasure_state ON erasure (state, id);

-- When what the entry said was erased.
ALTER TABLE group_message ADD COLUMN erased_at BIGINT;

-- The events about a person.
CREATE INDEX message_event_customer_id ON message_event (tenant_id, customer_id, id) WHERE customer_id IS NOT NULL;
