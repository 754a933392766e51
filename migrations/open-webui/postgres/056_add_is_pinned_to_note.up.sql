-- Adds whether a note is pinned, NULL meaning that it is not.

ALTER TABLE note ADD COLUMN is_pinned boolean;
