-- Creates the table of folders, and adds which one a chat lies in.

CREATE TABLE folder (
    id          text NOT NULL,
    parent_id   text,
    user_id     text NOT NULL,
    name        text NOT NULL,
    items       json,
    meta        json,
    is_expanded boolean NOT NULL,
    created_at  timestamp DEFAULT now() NOT NULL,
    updated_at  timestamp DEFAULT now() NOT NULL,
    CONSTRAINT folder_pkey PRIMARY KEY (id, user_id)
);

ALTER TABLE chat ADD COLUMN folder_id text;
