-- Drops the table of files.

DROP TABLE file;
