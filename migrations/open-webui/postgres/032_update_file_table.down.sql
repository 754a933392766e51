-- Removes who may use a file.

ALTER TABLE file DROP COLUMN access_control;
