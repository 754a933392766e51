-- Creates the table of tools. specs and meta hold JSON as text.

CREATE TABLE tool (
    id         text NOT NULL,
    user_id    text NOT NULL,
    name       text NOT NULL,
    content    text NOT NULL,
    specs      text NOT NULL,
    meta       text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX tool_id ON tool (id);
