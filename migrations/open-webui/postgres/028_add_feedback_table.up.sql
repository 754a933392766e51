-- Creates the table of what users think of answers.

CREATE TABLE feedback (
    id         text NOT NULL,
    user_id    text,
    version    bigint,
    type       text,
    data       json,
    meta       json,
    snapshot   json,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT feedback_pkey PRIMARY KEY (id)
);
