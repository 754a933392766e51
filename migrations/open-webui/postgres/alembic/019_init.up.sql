-- Creates the twelve base tables in an empty database.
--
-- They differ from what revisions 1 to 18 lead to: ids are primary keys, texts
-- have no length, nearly everything may be NULL, and unique is said by
-- constraints.

CREATE TABLE auth (
    id       varchar NOT NULL,
    email    varchar,
    password text,
    active   boolean,
    CONSTRAINT auth_pkey PRIMARY KEY (id)
);

CREATE TABLE chat (
    id         varchar NOT NULL,
    user_id    varchar,
    title      text,
    chat       text,
    created_at bigint,
    updated_at bigint,
    share_id   text,
    archived   boolean,
    CONSTRAINT chat_pkey PRIMARY KEY (id),
    CONSTRAINT chat_share_id_key UNIQUE (share_id)
);

CREATE TABLE chatidtag (
    id          varchar NOT NULL,
    tag_name    varchar,
    chat_id     varchar,
    user_id     varchar,
    "timestamp" bigint,
    CONSTRAINT chatidtag_pkey PRIMARY KEY (id)
);

CREATE TABLE document (
    collection_name varchar NOT NULL,
    name            varchar,
    title           text,
    filename        text,
    content         text,
    user_id         varchar,
    "timestamp"     bigint,
    CONSTRAINT document_pkey PRIMARY KEY (collection_name),
    CONSTRAINT document_name_key UNIQUE (name)
);

CREATE TABLE file (
    id         varchar NOT NULL,
    user_id    varchar,
    filename   text,
    meta       text,
    created_at bigint,
    CONSTRAINT file_pkey PRIMARY KEY (id)
);

CREATE TABLE "function" (
    id         varchar NOT NULL,
    user_id    varchar,
    name       text,
    type       text,
    content    text,
    meta       text,
    valves     text,
    is_active  boolean,
    is_global  boolean,
    updated_at bigint,
    created_at bigint,
    CONSTRAINT function_pkey PRIMARY KEY (id)
);

CREATE TABLE memory (
    id         varchar NOT NULL,
    user_id    varchar,
    content    text,
    updated_at bigint,
    created_at bigint,
    CONSTRAINT memory_pkey PRIMARY KEY (id)
);

CREATE TABLE model (
    id            text NOT NULL,
    user_id       text,
    base_model_id text,
    name          text,
    params        text,
    meta          text,
    updated_at    bigint,
    created_at    bigint,
    CONSTRAINT model_pkey PRIMARY KEY (id)
);

CREATE TABLE prompt (
    command     varchar NOT NULL,
    user_id     varchar,
    title       text,
    content     text,
    "timestamp" bigint,
    CONSTRAINT prompt_pkey PRIMARY KEY (command)
);

CREATE TABLE tag (
    id      varchar NOT NULL,
    name    varchar,
    user_id varchar,
    data    text,
    CONSTRAINT tag_pkey PRIMARY KEY (id)
);

CREATE TABLE tool (
    id         varchar NOT NULL,
    user_id    varchar,
    name       text,
    content    text,
    specs      text,
    meta       text,
    valves     text,
    updated_at bigint,
    created_at bigint,
    CONSTRAINT tool_pkey PRIMARY KEY (id)
);

CREATE TABLE "user" (
    id                varchar NOT NULL,
    name              varchar,
    email             varchar,
    role              varchar,
    profile_image_url text,
    last_active_at    bigint,
    updated_at        bigint,
    created_at        bigint,
    api_key           varchar,
    settings          text,
    info              text,
    oauth_sub         text,
    CONSTRAINT user_pkey PRIMARY KEY (id),
    CONSTRAINT user_api_key_key UNIQUE (api_key),
    CONSTRAINT user_oauth_sub_key UNIQUE (oauth_sub)
);
