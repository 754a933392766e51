-- Creates the table of tools. specs and meta hold JSON as text.

CREATE TABLE tool (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    content    TEXT NOT NULL,
    specs      TEXT NOT NULL,
    meta       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX "tool_id" ON "tool" ("id");
