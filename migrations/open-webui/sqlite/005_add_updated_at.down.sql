-- Gives chats their one time back: when they were created.
--
-- SQLite adds no column that is NOT NULL without a default, so the table is built
-- anew.

CREATE TABLE chat_new (
    id          VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    title       VARCHAR(255) NOT NULL,
    chat        TEXT NOT NULL,
    "timestamp" INTEGER NOT NULL,
    share_id    VARCHAR(255),
    archived    INTEGER NOT NULL
);

INSERT INTO chat_new (id, user_id, title, chat, "timestamp", share_id, archived)
SELECT id, user_id, title, chat, created_at, share_id, archived
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
CREATE UNIQUE INDEX "chat_id" ON "chat" ("id");
CREATE UNIQUE INDEX "chat_share_id" ON "chat" ("share_id");
