-- Creates the table of files. meta holds JSON as text.

CREATE TABLE file (
    id         text NOT NULL,
    user_id    text NOT NULL,
    filename   text NOT NULL,
    meta       text NOT NULL,
    created_at bigint NOT NULL
);
CREATE UNIQUE INDEX file_id ON file (id);
