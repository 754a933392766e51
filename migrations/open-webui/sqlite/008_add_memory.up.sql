-- Creates the table of what a model remembers about a user.

CREATE TABLE memory (
    id         VARCHAR(255) NOT NULL,
    user_id    VARCHAR(255) NOT NULL,
    content    TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX "memory_id" ON "memory" ("id");
