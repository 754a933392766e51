-- Adds who may use a file.

ALTER TABLE file ADD COLUMN access_control json;
