-- Drops the table of messages. The documents of the chats were never changed.

DROP TABLE chat_message;
