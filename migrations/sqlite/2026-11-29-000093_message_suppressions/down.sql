DROP TABLE message_suppression;
