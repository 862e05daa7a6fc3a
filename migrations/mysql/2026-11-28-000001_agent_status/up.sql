-- What the journal keeps of each member of the staff: what it says that it is, and how many conversations it serves.
-- A member without a row never said anything and serves none. current_accept changes only in the transaction that
-- assigns or frees a conversation.
CREATE TABLE agent_status (
    member_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    status VARCHAR(16) NOT NULL,
    reason VARCHAR(200) NOT NULL,
    since BIGINT,
    current_accept BIGINT NOT NULL CHECK (current_accept >= 0),
    rev BIGINT NOT NULL,
    PRIMARY KEY (member_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX agent_status_rev ON agent_status (tenant_id, rev);

INSERT INTO agent_status (member_id, tenant_id, status, reason, since, current_accept, rev)
SELECT agent_id, tenant_id, 'offline', '', NULL, COUNT(*), 0
FROM conversation
WHERE status = 'pending' AND agent_id IS NOT NULL
GROUP BY agent_id, tenant_id;
