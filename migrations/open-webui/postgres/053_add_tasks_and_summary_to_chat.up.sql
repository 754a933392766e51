-- Adds the tasks of a chat and its summary.

ALTER TABLE chat
    ADD COLUMN tasks json,
    ADD COLUMN summary text;
