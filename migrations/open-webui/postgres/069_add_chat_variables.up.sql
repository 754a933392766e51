-- Adds the variables of a chat.

ALTER TABLE chat ADD COLUMN variables json;
