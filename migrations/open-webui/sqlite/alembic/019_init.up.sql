-- Creates the twelve base tables in an empty database.
--
-- They differ from what revisions 1 to 18 lead to: ids are primary keys, texts
-- have no length, nearly everything may be NULL, and unique is said by
-- constraints.

CREATE TABLE auth (
    id       VARCHAR NOT NULL,
    email    VARCHAR,
    password TEXT,
    active   BOOLEAN,
    PRIMARY KEY (id)
);

CREATE TABLE chat (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    title      TEXT,
    chat       TEXT,
    created_at BIGINT,
    updated_at BIGINT,
    share_id   TEXT,
    archived   BOOLEAN,
    PRIMARY KEY (id),
    UNIQUE (share_id)
);

CREATE TABLE chatidtag (
    id          VARCHAR NOT NULL,
    tag_name    VARCHAR,
    chat_id     VARCHAR,
    user_id     VARCHAR,
    "timestamp" BIGINT,
    PRIMARY KEY (id)
);

CREATE TABLE document (
    collection_name VARCHAR NOT NULL,
    name            VARCHAR,
    title           TEXT,
    filename        TEXT,
    content         TEXT,
    user_id         VARCHAR,
    "timestamp"     BIGINT,
    PRIMARY KEY (collection_name),
    UNIQUE (name)
);

CREATE TABLE file (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    filename   TEXT,
    meta       TEXT,
    created_at BIGINT,
    PRIMARY KEY (id)
);

CREATE TABLE "function" (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    name       TEXT,
    type       TEXT,
    content    TEXT,
    meta       TEXT,
    valves     TEXT,
    is_active  BOOLEAN,
    is_global  BOOLEAN,
    updated_at BIGINT,
    created_at BIGINT,
    PRIMARY KEY (id)
);

CREATE TABLE memory (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    content    TEXT,
    updated_at BIGINT,
    created_at BIGINT,
    PRIMARY KEY (id)
);

CREATE TABLE model (
    id            TEXT NOT NULL,
    user_id       TEXT,
    base_model_id TEXT,
    name          TEXT,
    params        TEXT,
    meta          TEXT,
    updated_at    BIGINT,
    created_at    BIGINT,
    PRIMARY KEY (id)
);

CREATE TABLE prompt (
    command     VARCHAR NOT NULL,
    user_id     VARCHAR,
    title       TEXT,
    content     TEXT,
    "timestamp" BIGINT,
    PRIMARY KEY (command)
);

CREATE TABLE tag (
    id      VARCHAR NOT NULL,
    name    VARCHAR,
    user_id VARCHAR,
    data    TEXT,
    PRIMARY KEY (id)
);

CREATE TABLE tool (
    id         VARCHAR NOT NULL,
    user_id    VARCHAR,
    name       TEXT,
    content    TEXT,
    specs      TEXT,
    meta       TEXT,
    valves     TEXT,
    updated_at BIGINT,
    created_at BIGINT,
    PRIMARY KEY (id)
);

CREATE TABLE "user" (
    id                VARCHAR NOT NULL,
    name              VARCHAR,
    email             VARCHAR,
    role              VARCHAR,
    profile_image_url TEXT,
    last_active_at    BIGINT,
    updated_at        BIGINT,
    created_at        BIGINT,
    api_key           VARCHAR,
    settings          TEXT,
    info              TEXT,
    oauth_sub         TEXT,
    PRIMARY KEY (id),
    UNIQUE (api_key),
    UNIQUE (oauth_sub)
);
