-- Who serves what comes to a group: one agent each ('agent'), or the whole group at once ('group').
ALTER TABLE chat_group ADD COLUMN serving VARCHAR(16) NOT NULL DEFAULT 'agent';
CREATE INDEX chat_group_serving ON chat_group (serving, id);
