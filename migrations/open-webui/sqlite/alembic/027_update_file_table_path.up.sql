-- Gives files a column for the path that is in their meta, and turns meta from text
-- into json.
--
-- A path is whatever Python's drivers make a text of, hence the Go step. SQLite
-- cannot change a column, so the table is built anew.

ALTER TABLE file ADD COLUMN path TEXT;

-- schemagate:step file_paths

CREATE TABLE file_new (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    filename   TEXT,
    meta       JSON,
    created_at BIGINT,
    hash       TEXT,
    data       JSON,
    updated_at BIGINT,
    path       TEXT,
    PRIMARY KEY (id)
);

INSERT INTO file_new (
    id, user_id, filename, meta, created_at, hash, data, updated_at, path
)
SELECT id, user_id, filename, meta, created_at, hash, data, updated_at, path
FROM file ORDER BY rowid;

DROP TABLE file;
ALTER TABLE file_new RENAME TO file;
