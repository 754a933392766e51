-- Turns the document of a chat back into text, at its old place, hence the new
-- table.

CREATE TABLE chat_new (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    title      TEXT,
    chat       TEXT,
    created_at BIGINT,
    updated_at BIGINT,
    share_id   TEXT,
    archived   BOOLEAN,
    PRIMARY KEY (id),
    UNIQUE (share_id)
);

INSERT INTO chat_new (
    id, user_id, title, chat, created_at, updated_at, share_id, archived
)
SELECT id, user_id, title, chat, created_at, updated_at, share_id, archived
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
