-- Builds prompt anew, with a name, an id that does not change with the command, and
-- a history, into which every prompt enters as its own first version.
--
-- Commands lose the slash that all of them began with. The primary key and the
-- index keep the name that the new table has until the old one is gone.

CREATE TABLE prompt_new (
    id             text NOT NULL,
    command        varchar,
    user_id        varchar NOT NULL,
    name           text NOT NULL,
    content        text NOT NULL,
    data           json,
    meta           json,
    access_control json,
    is_active      boolean DEFAULT true NOT NULL,
    version_id     text,
    tags           json,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    CONSTRAINT prompt_new_pkey PRIMARY KEY (id)
);

INSERT INTO prompt_new (id, command, user_id, name, content, data, meta, access_control,
    is_active, version_id, tags, created_at, updated_at)
SELECT gen_random_uuid()::text,
    CASE WHEN substr(command, 1, 1) = '/' THEN substr(command, 2) ELSE command END,
    user_id, title, content, '{}', '{}', coalesce(access_control, 'null'),
    true, gen_random_uuid()::text, '[]', "timestamp", "timestamp"
FROM prompt;

DROP TABLE prompt;
ALTER TABLE prompt_new RENAME TO prompt;
CREATE UNIQUE INDEX ix_prompt_new_command ON prompt (command);

CREATE TABLE prompt_history (
    id             text NOT NULL,
    prompt_id      text NOT NULL,
    parent_id      text,
    snapshot       json NOT NULL,
    user_id        text NOT NULL,
    commit_message text,
    created_at     bigint NOT NULL,
    CONSTRAINT prompt_history_pkey PRIMARY KEY (id)
);
CREATE INDEX ix_prompt_history_prompt_id ON prompt_history (prompt_id);

INSERT INTO prompt_history (id, prompt_id, snapshot, user_id, created_at)
SELECT version_id, id, json_build_object(
    'name', name,
    'content', content,
    'command', command,
    'data', data,
    'meta', meta,
    'access_control', access_control
), user_id, created_at
FROM prompt;
