-- Removes the path of files, which is in their meta still, and turns meta back
-- into text. JSON null becomes NULL, because the way up refuses it.
--
-- SQLite cannot change a column, so the table is built anew.

CREATE TABLE file_new (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    filename   TEXT,
    meta       TEXT,
    created_at BIGINT,
    hash       TEXT,
    data       JSON,
    updated_at BIGINT,
    PRIMARY KEY (id)
);

INSERT INTO file_new (id, user_id, filename, meta, created_at, hash, data, updated_at)
SELECT id, user_id, filename, nullif(meta, 'null'), created_at, hash, data, updated_at
FROM file ORDER BY rowid;

DROP TABLE file;
ALTER TABLE file_new RENAME TO file;
