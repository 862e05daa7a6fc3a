DROP TABLE message_binding;
