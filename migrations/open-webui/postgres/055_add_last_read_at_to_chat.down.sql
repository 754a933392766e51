-- Removes when chats were read last.

ALTER TABLE chat DROP COLUMN last_read_at;
