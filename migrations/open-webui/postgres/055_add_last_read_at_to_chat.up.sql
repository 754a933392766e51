-- Adds when a chat was read last. What has been written so far counts as read.

ALTER TABLE chat ADD COLUMN last_read_at bigint;
UPDATE chat SET last_read_at = updated_at;
