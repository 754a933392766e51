-- Creates the table of sessions with OAuth providers. Those of a deleted user go
-- with the user.
--
-- The edition that 0.6.41 to 0.9.5 shipped gave users a primary key first, beside
-- the unique index that they have. SQLite adds no key to a table that exists, so
-- the table is built anew.

CREATE TABLE user_new (
    id                VARCHAR(255) NOT NULL,
    name              VARCHAR(255) NOT NULL,
    email             VARCHAR(255) NOT NULL,
    role              VARCHAR(255) NOT NULL,
    profile_image_url TEXT NOT NULL,
    api_key           VARCHAR(255),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    last_active_at    INTEGER NOT NULL,
    settings          TEXT,
    info              TEXT,
    oauth_sub         TEXT,
    username          VARCHAR(50),
    bio               TEXT,
    gender            TEXT,
    date_of_birth     DATE,
    CONSTRAINT pk_user_id PRIMARY KEY (id),
    CONSTRAINT uq_user_id UNIQUE (id)
);

INSERT INTO user_new (
    id, name, email, role, profile_image_url, api_key, created_at, updated_at,
    last_active_at, settings, info, oauth_sub, username, bio, gender, date_of_birth
)
SELECT
    id, name, email, role, profile_image_url, api_key, created_at, updated_at,
    last_active_at, settings, info, oauth_sub, username, bio, gender, date_of_birth
FROM "user" ORDER BY rowid;

DROP TABLE "user";
ALTER TABLE user_new RENAME TO "user";
CREATE UNIQUE INDEX user_id ON user (id);
CREATE UNIQUE INDEX user_api_key ON user (api_key);
CREATE UNIQUE INDEX user_oauth_sub ON user (oauth_sub);

CREATE TABLE oauth_session (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    provider   TEXT NOT NULL,
    token      TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (id),
    FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE
);
CREATE INDEX idx_oauth_session_user_id ON oauth_session (user_id);
CREATE INDEX idx_oauth_session_expires_at ON oauth_session (expires_at);
CREATE INDEX idx_oauth_session_user_provider ON oauth_session (user_id, provider);
