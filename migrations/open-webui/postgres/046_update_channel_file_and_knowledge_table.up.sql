-- Adds the message that a file was posted with, and brings back a place for the
-- data of knowledge.

ALTER TABLE channel_file
    ADD COLUMN message_id text,
    ADD CONSTRAINT fk_channel_file_message_id FOREIGN KEY (message_id)
        REFERENCES message (id) ON DELETE CASCADE;

ALTER TABLE knowledge ADD COLUMN data json;
