-- Adds the checksum of a file, what was read from it, and when it was changed
-- last.

ALTER TABLE file
    ADD COLUMN hash text,
    ADD COLUMN data json,
    ADD COLUMN updated_at bigint;
