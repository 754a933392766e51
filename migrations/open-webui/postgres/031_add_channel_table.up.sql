-- Creates the tables of channels and of the messages in them.

CREATE TABLE channel (
    id             text NOT NULL,
    user_id        text,
    name           text,
    description    text,
    data           json,
    meta           json,
    access_control json,
    created_at     bigint,
    updated_at     bigint,
    CONSTRAINT channel_pkey PRIMARY KEY (id)
);

CREATE TABLE message (
    id         text NOT NULL,
    user_id    text,
    channel_id text,
    content    text,
    data       json,
    meta       json,
    created_at bigint,
    updated_at bigint,
    CONSTRAINT message_pkey PRIMARY KEY (id)
);
