-- Creates the table of what a model remembers about a user.

CREATE TABLE memory (
    id         varchar(255) NOT NULL,
    user_id    varchar(255) NOT NULL,
    content    text NOT NULL,
    updated_at bigint NOT NULL,
    created_at bigint NOT NULL
);
CREATE UNIQUE INDEX memory_id ON memory (id);
