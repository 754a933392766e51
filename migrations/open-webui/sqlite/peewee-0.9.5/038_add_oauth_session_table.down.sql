-- Drops the table of sessions with OAuth providers, and the keys of users that
-- came with it. The unique index stays.
--
-- SQLite drops no key of a table, so the table of users is built anew.

DROP TABLE oauth_session;

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
    date_of_birth     DATE
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
CREATE UNIQUE INDEX "user_id" ON "user" ("id");
CREATE UNIQUE INDEX "user_api_key" ON "user" ("api_key");
CREATE UNIQUE INDEX "user_oauth_sub" ON "user" ("oauth_sub");
