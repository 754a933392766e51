-- Creates the table of groups, and adds who may use models, knowledge, prompts
-- and tools, which is everybody where nothing is said, and whether a model is
-- active, which all that exist are.

CREATE TABLE "group" (
    id          TEXT NOT NULL,
    user_id     TEXT,
    name        TEXT,
    description TEXT,
    data        JSON,
    meta        JSON,
    permissions JSON,
    user_ids    JSON,
    created_at  BIGINT,
    updated_at  BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);

ALTER TABLE model ADD COLUMN access_control JSON;
ALTER TABLE model ADD COLUMN is_active BOOLEAN DEFAULT 1 NOT NULL;
ALTER TABLE knowledge ADD COLUMN access_control JSON;
ALTER TABLE prompt ADD COLUMN access_control JSON;
ALTER TABLE tool ADD COLUMN access_control JSON;
