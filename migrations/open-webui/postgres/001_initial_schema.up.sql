-- Creates the first eight tables.
--
-- Where an id is a text, it has no primary key, only a unique index: that is how
-- the application's own tools left it, and what later revisions look for.

CREATE TABLE auth (
    id       varchar(255) NOT NULL,
    email    varchar(255) NOT NULL,
    password text NOT NULL,
    active   boolean NOT NULL
);
CREATE UNIQUE INDEX auth_id ON auth (id);

CREATE TABLE chat (
    id          varchar(255) NOT NULL,
    user_id     varchar(255) NOT NULL,
    title       text NOT NULL,
    chat        text NOT NULL,
    "timestamp" bigint NOT NULL
);
CREATE UNIQUE INDEX chat_id ON chat (id);

CREATE TABLE chatidtag (
    id          varchar(255) NOT NULL,
    tag_name    varchar(255) NOT NULL,
    chat_id     varchar(255) NOT NULL,
    user_id     varchar(255) NOT NULL,
    "timestamp" bigint NOT NULL
);
CREATE UNIQUE INDEX chatidtag_id ON chatidtag (id);

CREATE TABLE document (
    id              serial CONSTRAINT document_pkey PRIMARY KEY,
    collection_name varchar(255) NOT NULL,
    name            varchar(255) NOT NULL,
    title           text NOT NULL,
    filename        text NOT NULL,
    content         text,
    user_id         varchar(255) NOT NULL,
    "timestamp"     bigint NOT NULL
);
CREATE UNIQUE INDEX document_collection_name ON document (collection_name);
CREATE UNIQUE INDEX document_name ON document (name);

CREATE TABLE modelfile (
    id          serial CONSTRAINT modelfile_pkey PRIMARY KEY,
    tag_name    varchar(255) NOT NULL,
    user_id     varchar(255) NOT NULL,
    modelfile   text NOT NULL,
    "timestamp" bigint NOT NULL
);
CREATE UNIQUE INDEX modelfile_tag_name ON modelfile (tag_name);

CREATE TABLE prompt (
    id          serial CONSTRAINT prompt_pkey PRIMARY KEY,
    command     varchar(255) NOT NULL,
    user_id     varchar(255) NOT NULL,
    title       text NOT NULL,
    content     text NOT NULL,
    "timestamp" bigint NOT NULL
);
CREATE UNIQUE INDEX prompt_command ON prompt (command);

CREATE TABLE tag (
    id      varchar(255) NOT NULL,
    name    varchar(255) NOT NULL,
    user_id varchar(255) NOT NULL,
    data    text
);
CREATE UNIQUE INDEX tag_id ON tag (id);

CREATE TABLE "user" (
    id                varchar(255) NOT NULL,
    name              varchar(255) NOT NULL,
    email             varchar(255) NOT NULL,
    role              varchar(255) NOT NULL,
    profile_image_url text NOT NULL,
    "timestamp"       bigint NOT NULL
);
CREATE UNIQUE INDEX user_id ON "user" (id);
