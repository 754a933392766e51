-- Drops the table of directories in knowledge. The files lie outside again.

ALTER TABLE knowledge_file DROP COLUMN directory_id;
DROP TABLE knowledge_directory;
