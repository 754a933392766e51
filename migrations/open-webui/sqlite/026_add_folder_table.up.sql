-- Creates the table of folders, and adds which one a chat lies in.

CREATE TABLE folder (
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

ALTER TABLE chat ADD COLUMN folder_id TEXT;
