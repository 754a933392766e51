-- Turns the document of a chat back into text, which must not be NULL, at its old
-- place, hence the new table. A chat without one gets the text that says so.

CREATE TABLE chat_new (
    id         VARCHAR(255) NOT NULL,
    user_id    VARCHAR(255) NOT NULL,
    title      TEXT NOT NULL,
    chat       TEXT NOT NULL,
    share_id   VARCHAR(255),
    archived   INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);

INSERT INTO chat_new (
    id, user_id, title, chat, share_id, archived, created_at, updated_at
)
SELECT id, user_id, title, coalesce(chat, 'null'), share_id, archived, created_at,
    updated_at
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
CREATE UNIQUE INDEX "chat_id" ON "chat" ("id");
CREATE UNIQUE INDEX "chat_share_id" ON "chat" ("share_id");
