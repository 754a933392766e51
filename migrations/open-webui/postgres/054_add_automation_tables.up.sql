-- Creates the tables of automations and of their runs.

CREATE TABLE automation (
    id          text NOT NULL,
    user_id     text NOT NULL,
    name        text NOT NULL,
    data        json NOT NULL,
    meta        json,
    is_active   boolean NOT NULL,
    last_run_at bigint,
    next_run_at bigint,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    CONSTRAINT automation_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_automation_next_run ON automation (next_run_at);

CREATE TABLE automation_run (
    id            text NOT NULL,
    automation_id text NOT NULL,
    chat_id       text,
    status        text NOT NULL,
    error         text,
    created_at    bigint NOT NULL,
    CONSTRAINT automation_run_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_automation_run_automation_id ON automation_run (automation_id);
