DROP TABLE message_test;
