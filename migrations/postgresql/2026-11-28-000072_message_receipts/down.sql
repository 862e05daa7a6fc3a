DROP TABLE message_receipt;
