-- Whether a member of the staff has a live socket on some process, and when the last one was known to live. Changes
-- only by the journal, from what the processes say in agent_connection.
ALTER TABLE agent_status ADD COLUMN connected BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE agent_status ADD COLUMN last_seen BIGINT;

-- Which process has a live socket of which member of the staff: renewed while it has one, ended (0) when the last
-- one closed. Times are the database's.
CREATE TABLE agent_connection (
    member_id BIGINT NOT NULL,
    node_key TEXT NOT NULL,
    tenant_id BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (member_id, node_key)
) WITHOUT ROWID;
CREATE INDEX agent_connection_leased_until ON agent_connection (leased_until);

-- Every change of what a member of the staff said that it is, or of whether it is connected, for reports.
CREATE TABLE presence_change (
    id INTEGER NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    member_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    status TEXT NOT NULL,
    effective_status TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX presence_change_member_id_id ON presence_change (tenant_id, member_id, id);
CREATE INDEX presence_change_id ON presence_change (tenant_id, id);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('agent_connection', 'agent_connection', '2000 1 1'),
    ('agent_connection', 'agent_connection_leased_until', '2000 2'),
    ('presence_change', 'presence_change_member_id_id', '1000000 50000 1000 1 noskipscan'),
    ('presence_change', 'presence_change_id', '1000000 50000 1 noskipscan');
