-- Makes numbers of the times of folders.
--
-- Newer releases read seconds since 1970. The application's own tools cast the
-- text of a time, and a cast reads the leading digits only, so what stays of an
-- older time is its year; here, too, because nothing may differ. SQLite changes
-- no column that exists, so the table is built anew.

CREATE TABLE folder_new (
    id          TEXT NOT NULL,
    parent_id   TEXT,
    user_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    items       JSON,
    meta        JSON,
    is_expanded BOOLEAN NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (id, user_id)
);

INSERT INTO folder_new (
    id, parent_id, user_id, name, items, meta, is_expanded, created_at, updated_at
)
SELECT
    id, parent_id, user_id, name, items, meta, is_expanded,
    CAST(created_at AS BIGINT), CAST(updated_at AS BIGINT)
FROM folder ORDER BY rowid;

DROP TABLE folder;
ALTER TABLE folder_new RENAME TO folder;
