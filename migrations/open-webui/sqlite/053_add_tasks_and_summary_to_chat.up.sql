-- Adds the tasks of a chat and its summary.

ALTER TABLE chat ADD COLUMN tasks JSON;
ALTER TABLE chat ADD COLUMN summary TEXT;
