-- Drops the tables of channels and of the messages in them.

DROP TABLE message;
DROP TABLE channel;
