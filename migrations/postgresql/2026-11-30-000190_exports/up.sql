-- Exports of a tenant or of a person. The row is there before its file, and says when the file is to be removed.
CREATE TABLE export (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    -- Whose data; NULL: the whole tenant's.
    member_id BIGINT,
    -- waiting, running, done, failed, cancelled, expired
    state TEXT NOT NULL,
    requested_by BIGINT NOT NULL,
    requested_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    -- When the file of a finished one ends.
    expires_at BIGINT,
    failure TEXT,
    -- The tenant while it is unfinished: a tenant has one at a time.
    open_key BIGINT,
    -- The tenant's rev when it began; entries up to it are in the file.
    rev BIGINT NOT NULL,
    -- JSON: behind which row it goes on; NULL: at the beginning.
    place TEXT,
    -- JSON: how many lines of each type were written.
    counts TEXT NOT NULL,
    line_count BIGINT NOT NULL,
    -- Bytes of the file that are whole; what stands behind them is written anew.
    byte_count BIGINT NOT NULL,
    -- Turns without progress.
    attempts BIGINT NOT NULL,
    -- Who works on it, by the database's clock. The fence rises with every other owner, and stands in the file's name.
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    -- When its file is to be removed; NULL: there is none, or it is being written.
    sweep_at BIGINT,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX export_open_key ON export (open_key);
CREATE INDEX export_tenant_id_id ON export (tenant_id, id);
CREATE INDEX export_state ON export (state, id);
CREATE INDEX export_sweep_at ON export (sweep_at);

-- A tenant's rows in the order in which they are exported.
CREATE INDEX conversation_tenant_id_id ON conversation (tenant_id, id);
CREATE INDEX attachment_tenant_id_id ON attachment (tenant_id, id);
CREATE INDEX stored_file_tenant_id_id ON stored_file (tenant_id, id);
