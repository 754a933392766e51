-- Creates the table of settings.

CREATE TABLE config (
    id         serial,
    data       json NOT NULL,
    version    integer NOT NULL,
    created_at timestamp DEFAULT now() NOT NULL,
    updated_at timestamp DEFAULT now(),
    CONSTRAINT config_pkey PRIMARY KEY (id)
);
