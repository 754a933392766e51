-- Removes the path of files, which is in their meta still, and turns meta back
-- into text. A file without meta gets an empty one: it must have one, and the way
-- up refuses JSON null.
--
-- SQLite cannot change a column, so the table is built anew.

CREATE TABLE file_new (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    filename   TEXT NOT NULL,
    meta       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    hash       TEXT,
    data       JSON,
    updated_at BIGINT
);

INSERT INTO file_new (id, user_id, filename, meta, created_at, hash, data, updated_at)
SELECT id, user_id, filename, coalesce(nullif(meta, 'null'), '{}'), created_at, hash,
    data, updated_at
FROM file ORDER BY rowid;

DROP TABLE file;
ALTER TABLE file_new RENAME TO file;
CREATE UNIQUE INDEX "file_id" ON "file" ("id");
