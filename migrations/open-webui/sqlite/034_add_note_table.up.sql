-- Creates the table of notes.

CREATE TABLE note (
    id             TEXT NOT NULL,
    user_id        TEXT,
    title          TEXT,
    data           JSON,
    meta           JSON,
    access_control JSON,
    created_at     BIGINT,
    updated_at     BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);
