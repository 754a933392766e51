-- Creates the table of notes.

CREATE TABLE note (
    id             text NOT NULL,
    user_id        text,
    title          text,
    data           json,
    meta           json,
    access_control json,
    created_at     bigint,
    updated_at     bigint,
    CONSTRAINT note_pkey PRIMARY KEY (id)
);
