-- Adds what else is known about a message.

ALTER TABLE chat_message ADD COLUMN meta json;
