-- Drops the table of the files that were posted in channels.

DROP TABLE channel_file;
