-- How many messages a rule sends within a time, for each person or in all; throttle_count 0: as many as there are.
ALTER TABLE message_rule ADD COLUMN throttle_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE message_rule ADD COLUMN throttle_seconds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE message_rule ADD COLUMN throttle_by TEXT NOT NULL DEFAULT 'rule';

-- How many messages a rule has sent to a person (0: to all) in the time that ends at until, unix milliseconds.
CREATE TABLE message_throttle (
    rule_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    sent BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (rule_id, person_id)
);
CREATE INDEX message_throttle_until ON message_throttle (until);
