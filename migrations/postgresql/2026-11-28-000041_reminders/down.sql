DROP TABLE conversation_reminder;
