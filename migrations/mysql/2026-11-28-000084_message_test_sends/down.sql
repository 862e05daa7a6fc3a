DROP TABLE message_test_send;
