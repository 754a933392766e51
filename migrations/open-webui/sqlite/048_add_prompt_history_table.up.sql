-- Builds prompt anew, with a name, an id that does not change with the command, and
-- a history, into which every prompt enters as its own first version.
--
-- Commands lose the slash that all of them began with. The index keeps the name
-- that the new table has until the old one is gone.

CREATE TABLE prompt_new (
    id             TEXT NOT NULL,
    command        VARCHAR,
    user_id        VARCHAR NOT NULL,
    name           TEXT NOT NULL,
    content        TEXT NOT NULL,
    data           JSON,
    meta           JSON,
    access_control JSON,
    is_active      BOOLEAN DEFAULT '1' NOT NULL,
    version_id     TEXT,
    tags           JSON,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (id)
);

-- SQLite has no function for a random UUID, so they are put together of random hex
-- digits, with the version 4 and the variant in their places.
INSERT INTO prompt_new (id, command, user_id, name, content, data, meta, access_control,
    is_active, version_id, tags, created_at, updated_at)
SELECT
    lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
    CASE WHEN substr(command, 1, 1) = '/' THEN substr(command, 2) ELSE command END,
    user_id, title, content, '{}', '{}', coalesce(access_control, 'null'), 1,
    lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
    '[]', "timestamp", "timestamp"
FROM prompt ORDER BY rowid;

DROP TABLE prompt;
ALTER TABLE prompt_new RENAME TO prompt;
CREATE UNIQUE INDEX ix_prompt_new_command ON "prompt" (command);

CREATE TABLE prompt_history (
    id             TEXT NOT NULL,
    prompt_id      TEXT NOT NULL,
    parent_id      TEXT,
    snapshot       JSON NOT NULL,
    user_id        TEXT NOT NULL,
    commit_message TEXT,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_prompt_history_prompt_id ON prompt_history (prompt_id);

-- access_control is put in as it is spelled: it may hold what SQLite does not read,
-- such as NaN.
INSERT INTO prompt_history (id, prompt_id, snapshot, user_id, created_at)
SELECT version_id, id, '{"access_control":' || access_control || ',' || substr(json_object(
    'name', name,
    'content', content,
    'command', command,
    'data', json(data),
    'meta', json(meta)
), 2), user_id, created_at
FROM prompt ORDER BY rowid;
