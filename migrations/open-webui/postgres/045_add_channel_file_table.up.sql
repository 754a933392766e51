-- Creates the table of the files that were posted in channels. Its rows go with
-- their channel and their file.

CREATE TABLE channel_file (
    id         text NOT NULL,
    user_id    text NOT NULL,
    channel_id text NOT NULL,
    file_id    text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT channel_file_pkey PRIMARY KEY (id),
    CONSTRAINT uq_channel_file_channel_file UNIQUE (channel_id, file_id),
    CONSTRAINT channel_file_channel_id_fkey FOREIGN KEY (channel_id)
        REFERENCES channel (id) ON DELETE CASCADE,
    CONSTRAINT channel_file_file_id_fkey FOREIGN KEY (file_id)
        REFERENCES file (id) ON DELETE CASCADE
);
CREATE INDEX ix_channel_file_channel_id ON channel_file (channel_id);
CREATE INDEX ix_channel_file_file_id ON channel_file (file_id);
CREATE INDEX ix_channel_file_user_id ON channel_file (user_id);
