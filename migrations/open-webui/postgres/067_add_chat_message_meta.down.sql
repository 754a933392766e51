-- Removes what else was known about a message.

ALTER TABLE chat_message DROP COLUMN meta;
