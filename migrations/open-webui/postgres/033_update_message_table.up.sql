-- Adds the kind of a channel and the thread of a message, and creates the tables
-- of reactions to messages and of the members of channels.

ALTER TABLE channel ADD COLUMN type text;
ALTER TABLE message ADD COLUMN parent_id text;

CREATE TABLE message_reaction (
    id         text NOT NULL,
    user_id    text NOT NULL,
    message_id text NOT NULL,
    name       text NOT NULL,
    created_at bigint,
    CONSTRAINT message_reaction_pkey PRIMARY KEY (id)
);

CREATE TABLE channel_member (
    id         text NOT NULL,
    channel_id text NOT NULL,
    user_id    text NOT NULL,
    created_at bigint,
    CONSTRAINT channel_member_pkey PRIMARY KEY (id)
);
