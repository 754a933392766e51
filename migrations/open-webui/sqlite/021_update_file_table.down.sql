-- Removes the checksum of a file, what was read from it, and when it was changed
-- last.

ALTER TABLE file DROP COLUMN updated_at;
ALTER TABLE file DROP COLUMN data;
ALTER TABLE file DROP COLUMN hash;
