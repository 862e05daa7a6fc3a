-- What the journal keeps of each member of the staff: what it says that it is, and how many conversations it serves.
-- A member without a row never said anything and serves none. current_accept changes only in the transaction that
-- assigns or frees a conversation.
CREATE TABLE agent_status (
    member_id INTEGER NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    since BIGINT,
    current_accept BIGINT NOT NULL CHECK (current_accept >= 0),
    rev BIGINT NOT NULL
);
CREATE INDEX agent_status_rev ON agent_status (tenant_id, rev);

INSERT INTO agent_status (member_id, tenant_id, status, reason, since, current_accept, rev)
SELECT agent_id, tenant_id, 'offline', '', NULL, COUNT(*), 0
FROM conversation
WHERE status = 'pending' AND agent_id IS NOT NULL
GROUP BY agent_id, tenant_id;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('agent_status', 'agent_status_rev', '10000 500 2 noskipscan');
