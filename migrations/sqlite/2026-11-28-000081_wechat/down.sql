DROP TABLE channel_token;
DROP TABLE message_identity;
