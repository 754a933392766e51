-- Declares long texts TEXT, without a length. SQLite never enforced one, so the
-- values stay as they are; but it has no statement that changes a type, so the
-- tables are built anew.

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

CREATE TABLE chat_new (
    id         VARCHAR(255) NOT NULL,
    user_id    VARCHAR(255) NOT NULL,
    title      TEXT NOT NULL,
    chat       TEXT NOT NULL,
    share_id   VARCHAR(255),
    archived   INTEGER NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);

INSERT INTO chat_new (id, user_id, title, chat, share_id, archived, created_at, updated_at)
SELECT id, user_id, title, chat, share_id, archived, created_at, updated_at
FROM chat ORDER BY rowid;

DROP TABLE chat;
ALTER TABLE chat_new RENAME TO chat;
CREATE UNIQUE INDEX "chat_id" ON "chat" ("id");
CREATE UNIQUE INDEX "chat_share_id" ON "chat" ("share_id");

CREATE TABLE document_new (
    id              INTEGER NOT NULL PRIMARY KEY,
    collection_name VARCHAR(255) NOT NULL,
    name            VARCHAR(255) NOT NULL,
    title           TEXT NOT NULL,
    filename        TEXT NOT NULL,
    content         TEXT,
    user_id         VARCHAR(255) NOT NULL,
    "timestamp"     INTEGER NOT NULL
);

INSERT INTO document_new (id, collection_name, name, title, filename, content, user_id, "timestamp")
SELECT id, collection_name, name, title, filename, content, user_id, "timestamp"
FROM document ORDER BY id;

DROP TABLE document;
ALTER TABLE document_new RENAME TO document;
CREATE UNIQUE INDEX "document_collection_name" ON "document" ("collection_name");
CREATE UNIQUE INDEX "document_name" ON "document" ("name");

CREATE TABLE prompt_new (
    id          INTEGER NOT NULL PRIMARY KEY,
    command     VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    title       TEXT NOT NULL,
    content     TEXT NOT NULL,
    "timestamp" INTEGER NOT NULL
);

INSERT INTO prompt_new (id, command, user_id, title, content, "timestamp")
SELECT id, command, user_id, title, content, "timestamp"
FROM prompt ORDER BY id;

DROP TABLE prompt;
ALTER TABLE prompt_new RENAME TO prompt;
CREATE UNIQUE INDEX "prompt_command" ON "prompt" ("command");

CREATE TABLE user_new (
    id                VARCHAR(255) NOT NULL,
    name              VARCHAR(255) NOT NULL,
    email             VARCHAR(255) NOT NULL,
    role              VARCHAR(255) NOT NULL,
    profile_image_url TEXT NOT NULL,
    "timestamp"       INTEGER NOT NULL,
    api_key           VARCHAR(255)
);

INSERT INTO user_new (id, name, email, role, profile_image_url, "timestamp", api_key)
SELECT id, name, email, role, profile_image_url, "timestamp", api_key
FROM "user" ORDER BY rowid;

DROP TABLE "user";
ALTER TABLE user_new RENAME TO "user";
CREATE UNIQUE INDEX "user_id" ON "user" ("id");
CREATE UNIQUE INDEX "user_api_key" ON "user" ("api_key");
