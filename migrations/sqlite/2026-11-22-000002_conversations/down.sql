DROP TABLE assignment;
DROP TABLE message_revision;
DROP TABLE group_message;
DROP TABLE conversation_member;
DROP TABLE conversation;
DROP TABLE sqlite_stat1;
