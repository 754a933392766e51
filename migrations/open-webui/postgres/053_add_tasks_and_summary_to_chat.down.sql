-- Removes the tasks and summaries of chats.

ALTER TABLE chat
    DROP COLUMN summary,
    DROP COLUMN tasks;
