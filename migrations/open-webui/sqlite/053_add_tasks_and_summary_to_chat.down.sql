-- Removes the tasks and summaries of chats.

ALTER TABLE chat DROP COLUMN summary;
ALTER TABLE chat DROP COLUMN tasks;
