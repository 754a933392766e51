-- Turns the document of a chat from text into json, which makes it the last
-- column.
--
-- Python reads more as JSON than SQLite, and what neither reads becomes JSON null,
-- hence the Go step. The table is built anew, so that every document is written
-- once only.

-- schemagate:step chat_text_to_json

CREATE TABLE chat_new (
    id         VARCHAR(255) NOT NULL,
    user_id    VARCHAR(255) NOT NULL,
    title      TEXT NOT NULL,
    share_id   VARCHAR(255),
    archived   INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    chat       JSON
);

INSERT INTO chat_new (
    id, user_id, title, share_id, archived, created_at, updated_at, chat
)
SELECT id, user_id, title, share_id, archived, created_at, updated_at, chat
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
CREATE UNIQUE INDEX "chat_id" ON "chat" ("id");
CREATE UNIQUE INDEX "chat_share_id" ON "chat" ("share_id");
