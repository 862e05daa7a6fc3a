DROP TABLE channel_callback;
