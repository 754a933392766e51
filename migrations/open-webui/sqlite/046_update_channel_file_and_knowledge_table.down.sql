-- Removes the message that a file was posted with, and the data of knowledge.
--
-- A database that the application brought here names the column in a key of the
-- table, and SQLite drops no such column, so the table is built anew.

ALTER TABLE knowledge DROP COLUMN data;

CREATE TABLE channel_file_new (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    file_id    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_channel_file_channel_file UNIQUE (channel_id, file_id),
    FOREIGN KEY (channel_id) REFERENCES channel (id) ON DELETE CASCADE,
    FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE CASCADE
);

INSERT INTO channel_file_new (id, user_id, channel_id, file_id, created_at, updated_at)
SELECT id, user_id, channel_id, file_id, created_at, updated_at
FROM channel_file ORDER BY rowid;

DROP TABLE channel_file;
ALTER TABLE channel_file_new RENAME TO channel_file;
CREATE INDEX ix_channel_file_channel_id ON channel_file (channel_id);
CREATE INDEX ix_channel_file_file_id ON channel_file (file_id);
CREATE INDEX ix_channel_file_user_id ON channel_file (user_id);
