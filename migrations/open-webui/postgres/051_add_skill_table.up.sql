-- Creates the table of skills.

CREATE TABLE skill (
    id          varchar NOT NULL,
    user_id     varchar NOT NULL,
    name        text NOT NULL,
    description text,
    content     text NOT NULL,
    meta        json,
    is_active   boolean NOT NULL,
    updated_at  bigint NOT NULL,
    created_at  bigint NOT NULL,
    CONSTRAINT skill_pkey PRIMARY KEY (id),
    CONSTRAINT skill_name_key UNIQUE (name)
);
CREATE INDEX idx_skill_user_id ON skill (user_id);
CREATE INDEX idx_skill_updated_at ON skill (updated_at);
