-- Creates the table of functions. meta holds JSON as text.

CREATE TABLE "function" (
    id         text NOT NULL,
    user_id    text NOT NULL,
    name       text NOT NULL,
    type       text NOT NULL,
    content    text NOT NULL,
    meta       text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX function_id ON "function" (id);
