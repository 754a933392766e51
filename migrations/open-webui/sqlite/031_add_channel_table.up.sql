-- Creates the tables of channels and of the messages in them.

CREATE TABLE channel (
    id             TEXT NOT NULL,
    user_id        TEXT,
    name           TEXT,
    description    TEXT,
    data           JSON,
    meta           JSON,
    access_control JSON,
    created_at     BIGINT,
    updated_at     BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);

CREATE TABLE message (
    id         TEXT NOT NULL,
    user_id    TEXT,
    channel_id TEXT,
    content    TEXT,
    data       JSON,
    meta       JSON,
    created_at BIGINT,
    updated_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);
