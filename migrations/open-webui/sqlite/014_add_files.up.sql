-- Creates the table of files. meta holds JSON as text.

CREATE TABLE file (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    filename   TEXT NOT NULL,
    meta       TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX "file_id" ON "file" ("id");
