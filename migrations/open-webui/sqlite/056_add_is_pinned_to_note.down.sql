-- Removes whether a note is pinned.

ALTER TABLE note DROP COLUMN is_pinned;
