-- Creates the table of models. meta and params hold JSON as text.

CREATE TABLE model (
    id            TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    base_model_id TEXT,
    name          TEXT NOT NULL,
    meta          TEXT NOT NULL,
    params        TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
);
CREATE UNIQUE INDEX "model_id" ON "model" ("id");
