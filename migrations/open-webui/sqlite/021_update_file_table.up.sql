-- Adds the checksum of a file, what was read from it, and when it was changed
-- last.

ALTER TABLE file ADD COLUMN hash TEXT;
ALTER TABLE file ADD COLUMN data JSON;
ALTER TABLE file ADD COLUMN updated_at BIGINT;
