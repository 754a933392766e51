-- Creates the first eight tables.
--
-- Where an id is a text, it has no primary key, only a unique index: that is how
-- the application's own tools left it, and what later revisions look for. Names
-- are quoted in the indexes because SQLite keeps their definitions word by word.

CREATE TABLE auth (
    id       VARCHAR(255) NOT NULL,
    email    VARCHAR(255) NOT NULL,
    password VARCHAR(255) NOT NULL,
    active   INTEGER NOT NULL
);
CREATE UNIQUE INDEX "auth_id" ON "auth" ("id");

CREATE TABLE chat (
    id          VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    title       VARCHAR(255) NOT NULL,
    chat        TEXT NOT NULL,
    "timestamp" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "chat_id" ON "chat" ("id");

CREATE TABLE chatidtag (
    id          VARCHAR(255) NOT NULL,
    tag_name    VARCHAR(255) NOT NULL,
    chat_id     VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    "timestamp" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "chatidtag_id" ON "chatidtag" ("id");

CREATE TABLE document (
    id              INTEGER NOT NULL PRIMARY KEY,
    collection_name VARCHAR(255) NOT NULL,
    name            VARCHAR(255) NOT NULL,
    title           VARCHAR(255) NOT NULL,
    filename        VARCHAR(255) NOT NULL,
    content         TEXT,
    user_id         VARCHAR(255) NOT NULL,
    "timestamp"     INTEGER NOT NULL
);
CREATE UNIQUE INDEX "document_collection_name" ON "document" ("collection_name");
CREATE UNIQUE INDEX "document_name" ON "document" ("name");

CREATE TABLE modelfile (
    id          INTEGER NOT NULL PRIMARY KEY,
    tag_name    VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    modelfile   TEXT NOT NULL,
    "timestamp" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "modelfile_tag_name" ON "modelfile" ("tag_name");

CREATE TABLE prompt (
    id          INTEGER NOT NULL PRIMARY KEY,
    command     VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    title       VARCHAR(255) NOT NULL,
    content     TEXT NOT NULL,
    "timestamp" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "prompt_command" ON "prompt" ("command");

CREATE TABLE tag (
    id      VARCHAR(255) NOT NULL,
    name    VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    data    TEXT
);
CREATE UNIQUE INDEX "tag_id" ON "tag" ("id");

CREATE TABLE "user" (
    id                VARCHAR(255) NOT NULL,
    name              VARCHAR(255) NOT NULL,
    email             VARCHAR(255) NOT NULL,
    role              VARCHAR(255) NOT NULL,
    profile_image_url VARCHAR(255) NOT NULL,
    "timestamp"       INTEGER NOT NULL
);
CREATE UNIQUE INDEX "user_id" ON "user" ("id");
