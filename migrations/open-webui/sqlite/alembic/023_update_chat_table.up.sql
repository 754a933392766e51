-- Turns the document of a chat from text into json, which makes it the last
-- column.
--
-- Python reads more as JSON than SQLite, and what neither reads becomes JSON null,
-- hence the Go step. The table is built anew, so that every document is written
-- once only.

-- schemagate:step chat_text_to_json

CREATE TABLE chat_new (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    title      TEXT,
    created_at BIGINT,
    updated_at BIGINT,
    share_id   TEXT,
    archived   BOOLEAN,
    chat       JSON,
    PRIMARY KEY (id),
    UNIQUE (share_id)
);

INSERT INTO chat_new (
    id, user_id, title, created_at, updated_at, share_id, archived, chat
)
SELECT id, user_id, title, created_at, updated_at, share_id, archived, chat
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
