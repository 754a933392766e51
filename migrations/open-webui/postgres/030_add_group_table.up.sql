-- Creates the table of groups, and adds who may use models, knowledge, prompts
-- and tools, which is everybody where nothing is said, and whether a model is
-- active, which all that exist are.

CREATE TABLE "group" (
    id          text NOT NULL,
    user_id     text,
    name        text,
    description text,
    data        json,
    meta        json,
    permissions json,
    user_ids    json,
    created_at  bigint,
    updated_at  bigint,
    CONSTRAINT group_pkey PRIMARY KEY (id)
);

ALTER TABLE model
    ADD COLUMN access_control json,
    ADD COLUMN is_active boolean DEFAULT true NOT NULL;
ALTER TABLE knowledge ADD COLUMN access_control json;
ALTER TABLE prompt ADD COLUMN access_control json;
ALTER TABLE tool ADD COLUMN access_control json;
