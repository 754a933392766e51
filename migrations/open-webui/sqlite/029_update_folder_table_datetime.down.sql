-- Makes times in UTC of the numbers that folders have.
--
-- They are seconds since 1970, or the year that the way up left of a time. No
-- folder is from the first hours of 1970, so a number up to 9999 is a year, and
-- it becomes the beginning of that year, of which the way up makes it again.
-- SQLite changes no column that exists, so the table is built anew.

CREATE TABLE folder_new (
    id          TEXT NOT NULL,
    parent_id   TEXT,
    user_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    items       JSON,
    meta        JSON,
    is_expanded BOOLEAN NOT NULL,
    created_at  DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at  DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id, user_id)
);

INSERT INTO folder_new (
    id, parent_id, user_id, name, items, meta, is_expanded, created_at, updated_at
)
SELECT
    id, parent_id, user_id, name, items, meta, is_expanded,
    CASE
        WHEN created_at BETWEEN 0 AND 9999 THEN printf('%04d-01-01 00:00:00', created_at)
        ELSE datetime(created_at, 'unixepoch')
    END,
    CASE
        WHEN updated_at BETWEEN 0 AND 9999 THEN printf('%04d-01-01 00:00:00', updated_at)
        ELSE datetime(updated_at, 'unixepoch')
    END
FROM folder ORDER BY rowid;

DROP TABLE folder;
ALTER TABLE folder_new RENAME TO folder;
