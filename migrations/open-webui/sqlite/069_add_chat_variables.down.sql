-- Removes the variables of chats.

ALTER TABLE chat DROP COLUMN variables;
