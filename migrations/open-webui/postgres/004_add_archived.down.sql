-- Removes the mark of archived chats.

ALTER TABLE chat DROP COLUMN archived;
