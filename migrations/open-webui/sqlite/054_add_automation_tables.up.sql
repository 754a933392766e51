-- Creates the tables of automations and of their runs.

CREATE TABLE automation (
    id          TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    data        JSON NOT NULL,
    meta        JSON,
    is_active   BOOLEAN NOT NULL,
    last_run_at BIGINT,
    next_run_at BIGINT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_automation_next_run ON automation (next_run_at);

CREATE TABLE automation_run (
    id            TEXT NOT NULL,
    automation_id TEXT NOT NULL,
    chat_id       TEXT,
    status        TEXT NOT NULL,
    error         TEXT,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_automation_run_automation_id ON automation_run (automation_id);
