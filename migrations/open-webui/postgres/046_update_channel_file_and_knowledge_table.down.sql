-- Removes the message that a file was posted with, and the data of knowledge.

ALTER TABLE knowledge DROP COLUMN data;
ALTER TABLE channel_file DROP COLUMN message_id;
