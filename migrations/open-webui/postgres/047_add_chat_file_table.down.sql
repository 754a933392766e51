-- Drops the table of the files that were attached to chats.

DROP TABLE chat_file;
