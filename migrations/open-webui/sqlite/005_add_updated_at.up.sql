-- Replaces the time of a chat by when it was created and when it was changed last.
--
-- The columns are declared DATETIME and hold seconds since 1970 all the same.
-- SQLite adds no column that is NOT NULL without a default, so the table is built
-- anew.

CREATE TABLE chat_new (
    id         VARCHAR(255) NOT NULL,
    user_id    VARCHAR(255) NOT NULL,
    title      VARCHAR(255) NOT NULL,
    chat       TEXT NOT NULL,
    share_id   VARCHAR(255),
    archived   INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);

INSERT INTO chat_new (id, user_id, title, chat, share_id, archived, created_at, updated_at)
SELECT id, user_id, title, chat, share_id, archived, "timestamp", "timestamp"
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
CREATE UNIQUE INDEX "chat_id" ON "chat" ("id");
CREATE UNIQUE INDEX "chat_share_id" ON "chat" ("share_id");
