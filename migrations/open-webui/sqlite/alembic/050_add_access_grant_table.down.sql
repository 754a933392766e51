-- Makes access_control of seven tables from the grants and drops those.
--
-- Readable for everybody is NULL, and no grant at all is an empty object; but a
-- file without grants has NULL, which means private there. So a file that
-- everybody may read becomes private: there is no word for it.
--
-- SQLite adds a column as the last one only, so the tables in which it was in the
-- middle are built anew.

CREATE TABLE access_control_old (
    resource_type  TEXT NOT NULL,
    resource_id    TEXT NOT NULL,
    access_control TEXT,
    PRIMARY KEY (resource_type, resource_id)
);

INSERT INTO access_control_old (resource_type, resource_id, access_control)
SELECT resource_type, resource_id,
    CASE WHEN NOT max(principal_type = 'user' AND principal_id = '*' AND permission = 'read')
        THEN json_object(
            'read', json_object(
                'group_ids', json(json_group_array(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'read' AND principal_type = 'group')),
                'user_ids', json(json_group_array(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'read' AND principal_type = 'user'))
            ),
            'write', json_object(
                'group_ids', json(json_group_array(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'write' AND principal_type = 'group')),
                'user_ids', json(json_group_array(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'write' AND principal_type = 'user'))
            )
        )
    END
FROM access_grant
GROUP BY resource_type, resource_id;

ALTER TABLE file ADD COLUMN access_control JSON;
UPDATE file SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'file' AND old.resource_id = file.id;

ALTER TABLE tool ADD COLUMN access_control JSON;
UPDATE tool SET access_control = '{}';
UPDATE tool SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'tool' AND old.resource_id = tool.id;

CREATE TABLE channel_old (
    id             TEXT NOT NULL,
    user_id        TEXT,
    name           TEXT,
    description    TEXT,
    data           JSON,
    meta           JSON,
    access_control JSON,
    created_at     BIGINT,
    updated_at     BIGINT,
    type           TEXT,
    is_private     BOOLEAN,
    archived_at    BIGINT,
    archived_by    TEXT,
    deleted_at     BIGINT,
    deleted_by     TEXT,
    updated_by     TEXT,
    PRIMARY KEY (id),
    UNIQUE (id)
);

INSERT INTO channel_old (id, user_id, name, description, data, meta, access_control,
    created_at, updated_at, type, is_private, archived_at, archived_by, deleted_at,
    deleted_by, updated_by)
SELECT r.id, r.user_id, r.name, r.description, r.data, r.meta,
    iif(old.resource_id IS NULL, '{}', old.access_control), r.created_at, r.updated_at,
    r.type, r.is_private, r.archived_at, r.archived_by, r.deleted_at, r.deleted_by,
    r.updated_by
FROM channel AS r LEFT JOIN access_control_old AS old
    ON old.resource_type = 'channel' AND old.resource_id = r.id
ORDER BY r.rowid;

DROP TABLE channel;
ALTER TABLE channel_old RENAME TO channel;

CREATE TABLE note_old (
    id             TEXT NOT NULL,
    user_id        TEXT,
    title          TEXT,
    data           JSON,
    meta           JSON,
    access_control JSON,
    created_at     BIGINT,
    updated_at     BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);

INSERT INTO note_old (id, user_id, title, data, meta, access_control, created_at,
    updated_at)
SELECT r.id, r.user_id, r.title, r.data, r.meta,
    iif(old.resource_id IS NULL, '{}', old.access_control), r.created_at, r.updated_at
FROM note AS r LEFT JOIN access_control_old AS old
    ON old.resource_type = 'note' AND old.resource_id = r.id
ORDER BY r.rowid;

DROP TABLE note;
ALTER TABLE note_old RENAME TO note;

CREATE TABLE model_old (
    id             TEXT NOT NULL,
    user_id        TEXT,
    base_model_id  TEXT,
    name           TEXT,
    params         TEXT,
    meta           TEXT,
    updated_at     BIGINT,
    created_at     BIGINT,
    access_control JSON,
    is_active      BOOLEAN DEFAULT 1 NOT NULL,
    PRIMARY KEY (id)
);

INSERT INTO model_old (id, user_id, base_model_id, name, params, meta, updated_at,
    created_at, access_control, is_active)
SELECT r.id, r.user_id, r.base_model_id, r.name, r.params, r.meta, r.updated_at,
    r.created_at, iif(old.resource_id IS NULL, '{}', old.access_control), r.is_active
FROM model AS r LEFT JOIN access_control_old AS old
    ON old.resource_type = 'model' AND old.resource_id = r.id
ORDER BY r.rowid;

DROP TABLE model;
ALTER TABLE model_old RENAME TO model;

CREATE TABLE prompt_old (
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

INSERT INTO prompt_old (id, command, user_id, name, content, data, meta, access_control,
    is_active, version_id, tags, created_at, updated_at)
SELECT r.id, r.command, r.user_id, r.name, r.content, r.data, r.meta,
    iif(old.resource_id IS NULL, '{}', old.access_control), r.is_active, r.version_id,
    r.tags, r.created_at, r.updated_at
FROM prompt AS r LEFT JOIN access_control_old AS old
    ON old.resource_type = 'prompt' AND old.resource_id = r.id
ORDER BY r.rowid;

DROP TABLE prompt;
ALTER TABLE prompt_old RENAME TO prompt;
CREATE UNIQUE INDEX ix_prompt_new_command ON "prompt" (command);

CREATE TABLE knowledge_old (
    id             TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    name           TEXT NOT NULL,
    description    TEXT,
    meta           JSON,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT,
    access_control JSON,
    data           JSON,
    PRIMARY KEY (id)
);

INSERT INTO knowledge_old (id, user_id, name, description, meta, created_at, updated_at,
    access_control, data)
SELECT r.id, r.user_id, r.name, r.description, r.meta, r.created_at, r.updated_at,
    iif(old.resource_id IS NULL, '{}', old.access_control), r.data
FROM knowledge AS r LEFT JOIN access_control_old AS old
    ON old.resource_type = 'knowledge' AND old.resource_id = r.id
ORDER BY r.rowid;

DROP TABLE knowledge;
ALTER TABLE knowledge_old RENAME TO knowledge;

DROP TABLE access_control_old;
DROP TABLE access_grant;
