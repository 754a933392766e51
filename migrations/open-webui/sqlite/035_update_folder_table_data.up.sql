-- Adds what belongs to a folder besides its chats.

ALTER TABLE folder ADD COLUMN data JSON;
