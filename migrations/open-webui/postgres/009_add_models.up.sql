-- Creates the table of models. meta and params hold JSON as text.

CREATE TABLE model (
    id            text NOT NULL,
    user_id       text NOT NULL,
    base_model_id text,
    name          text NOT NULL,
    meta          text NOT NULL,
    params        text NOT NULL,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL
);
CREATE UNIQUE INDEX model_id ON model (id);
