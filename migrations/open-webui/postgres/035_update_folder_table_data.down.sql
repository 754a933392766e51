-- Removes what belongs to a folder besides its chats.

ALTER TABLE folder DROP COLUMN data;
