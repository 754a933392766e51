-- Adds the kind of a channel and the thread of a message, and creates the tables
-- of reactions to messages and of the members of channels.

ALTER TABLE channel ADD COLUMN type TEXT;
ALTER TABLE message ADD COLUMN parent_id TEXT;

CREATE TABLE message_reaction (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    message_id TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);

CREATE TABLE channel_member (
    id         TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    created_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);
