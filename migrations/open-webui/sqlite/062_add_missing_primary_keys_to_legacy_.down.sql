-- Removes the primary keys of nine tables, which are built anew for it. The indexes
-- are written as they were, some with quotes, because SQLite keeps them as text.

CREATE TABLE user_new (
    id                       VARCHAR(255) NOT NULL,
    name                     VARCHAR(255) NOT NULL,
    email                    VARCHAR(255) NOT NULL,
    role                     VARCHAR(255) NOT NULL,
    profile_image_url        TEXT NOT NULL,
    created_at               INTEGER NOT NULL,
    updated_at               INTEGER NOT NULL,
    last_active_at           INTEGER NOT NULL,
    username                 VARCHAR(50),
    bio                      TEXT,
    gender                   TEXT,
    date_of_birth            DATE,
    profile_banner_image_url TEXT,
    timezone                 VARCHAR,
    presence_state           VARCHAR,
    status_emoji             VARCHAR,
    status_message           TEXT,
    status_expires_at        BIGINT,
    oauth                    JSON,
    info                     JSON,
    settings                 JSON,
    scim                     JSON
);

INSERT INTO user_new (
    id, name, email, role, profile_image_url, created_at, updated_at, last_active_at,
    username, bio, gender, date_of_birth, profile_banner_image_url, timezone,
    presence_state, status_emoji, status_message, status_expires_at, oauth, info,
    settings, scim
)
SELECT
    id, name, email, role, profile_image_url, created_at, updated_at, last_active_at,
    username, bio, gender, date_of_birth, profile_banner_image_url, timezone,
    presence_state, status_emoji, status_message, status_expires_at, oauth, info,
    settings, scim
FROM "user" ORDER BY rowid;

DROP TABLE "user";
ALTER TABLE user_new RENAME TO "user";
CREATE UNIQUE INDEX user_id ON user (id);

CREATE TABLE tool_new (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    content    TEXT NOT NULL,
    specs      TEXT NOT NULL,
    meta       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    valves     TEXT
);

INSERT INTO tool_new (
    id, user_id, name, content, specs, meta, created_at, updated_at, valves
)
SELECT id, user_id, name, content, specs, meta, created_at, updated_at, valves
FROM tool ORDER BY rowid;

DROP TABLE tool;
ALTER TABLE tool_new RENAME TO tool;
CREATE UNIQUE INDEX tool_id ON tool (id);

CREATE TABLE model_new (
    id            TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    base_model_id TEXT,
    name          TEXT NOT NULL,
    meta          TEXT NOT NULL,
    params        TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    is_active     BOOLEAN DEFAULT 1 NOT NULL
);

INSERT INTO model_new (
    id, user_id, base_model_id, name, meta, params, created_at, updated_at, is_active
)
SELECT id, user_id, base_model_id, name, meta, params, created_at, updated_at, is_active
FROM model ORDER BY rowid;

DROP TABLE model;
ALTER TABLE model_new RENAME TO model;
CREATE UNIQUE INDEX model_id ON model (id);

CREATE TABLE memory_new (
    id         VARCHAR(255) NOT NULL,
    user_id    VARCHAR(255) NOT NULL,
    content    TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

INSERT INTO memory_new (id, user_id, content, updated_at, created_at)
SELECT id, user_id, content, updated_at, created_at
FROM memory ORDER BY rowid;

DROP TABLE memory;
ALTER TABLE memory_new RENAME TO memory;
CREATE UNIQUE INDEX "memory_id" ON "memory" ("id");
CREATE INDEX ix_memory_user_id ON memory (user_id);

CREATE TABLE function_new (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    type       TEXT NOT NULL,
    content    TEXT NOT NULL,
    meta       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    valves     TEXT,
    is_active  INTEGER NOT NULL,
    is_global  INTEGER NOT NULL
);

INSERT INTO function_new (
    id, user_id, name, type, content, meta, created_at, updated_at, valves, is_active,
    is_global
)
SELECT
    id, user_id, name, type, content, meta, created_at, updated_at, valves, is_active,
    is_global
FROM "function" ORDER BY rowid;

DROP TABLE "function";
ALTER TABLE function_new RENAME TO "function";
CREATE UNIQUE INDEX "function_id" ON "function" ("id");
CREATE INDEX is_global_idx ON function (is_global);

CREATE TABLE file_new (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    filename   TEXT NOT NULL,
    meta       JSON,
    created_at INTEGER NOT NULL,
    hash       TEXT,
    data       JSON,
    updated_at BIGINT,
    path       TEXT
);

INSERT INTO file_new (
    id, user_id, filename, meta, created_at, hash, data, updated_at, path
)
SELECT id, user_id, filename, meta, created_at, hash, data, updated_at, path
FROM file ORDER BY rowid;

DROP TABLE file;
ALTER TABLE file_new RENAME TO file;
CREATE UNIQUE INDEX file_id ON file (id);

CREATE TABLE chatidtag_new (
    id          VARCHAR(255) NOT NULL,
    tag_name    VARCHAR(255) NOT NULL,
    chat_id     VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    "timestamp" INTEGER NOT NULL
);

INSERT INTO chatidtag_new (id, tag_name, chat_id, user_id, "timestamp")
SELECT id, tag_name, chat_id, user_id, "timestamp"
FROM chatidtag ORDER BY rowid;

DROP TABLE chatidtag;
ALTER TABLE chatidtag_new RENAME TO chatidtag;
CREATE UNIQUE INDEX "chatidtag_id" ON "chatidtag" ("id");

CREATE TABLE chat_new (
    id           VARCHAR(255) NOT NULL,
    user_id      VARCHAR(255) NOT NULL,
    title        TEXT NOT NULL,
    share_id     VARCHAR(255),
    archived     INTEGER NOT NULL,
    created_at   DATETIME NOT NULL,
    updated_at   DATETIME NOT NULL,
    chat         JSON,
    pinned       BOOLEAN,
    meta         JSON DEFAULT '{}' NOT NULL,
    folder_id    TEXT,
    tasks        JSON,
    summary      TEXT,
    last_read_at BIGINT
);

INSERT INTO chat_new (
    id, user_id, title, share_id, archived, created_at, updated_at, chat, pinned, meta,
    folder_id, tasks, summary, last_read_at
)
SELECT
    id, user_id, title, share_id, archived, created_at, updated_at, chat, pinned, meta,
    folder_id, tasks, summary, last_read_at
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
CREATE UNIQUE INDEX "chat_id" ON "chat" ("id");
CREATE UNIQUE INDEX "chat_share_id" ON "chat" ("share_id");
CREATE INDEX folder_id_idx ON chat (folder_id);
CREATE INDEX folder_id_user_id_idx ON chat (folder_id, user_id);
CREATE INDEX updated_at_user_id_idx ON chat (updated_at, user_id);
CREATE INDEX user_id_archived_idx ON chat (user_id, archived);
CREATE INDEX user_id_pinned_idx ON chat (user_id, pinned);

CREATE TABLE auth_new (
    id       VARCHAR(255) NOT NULL,
    email    VARCHAR(255) NOT NULL,
    password TEXT NOT NULL,
    active   INTEGER NOT NULL
);

INSERT INTO auth_new (id, email, password, active)
SELECT id, email, password, active
FROM auth ORDER BY rowid;

DROP TABLE auth;
ALTER TABLE auth_new RENAME TO auth;
CREATE UNIQUE INDEX "auth_id" ON "auth" ("id");
