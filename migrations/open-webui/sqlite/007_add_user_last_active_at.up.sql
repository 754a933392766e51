-- Replaces the time of a user by when the account was created, changed and used
-- last.
--
-- SQLite adds no column that is NOT NULL without a default, so the table is built
-- anew.

CREATE TABLE user_new (
    id                VARCHAR(255) NOT NULL,
    name              VARCHAR(255) NOT NULL,
    email             VARCHAR(255) NOT NULL,
    role              VARCHAR(255) NOT NULL,
    profile_image_url TEXT NOT NULL,
    api_key           VARCHAR(255),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    last_active_at    INTEGER NOT NULL
);

INSERT INTO user_new (
    id, name, email, role, profile_image_url, api_key, created_at, updated_at,
    last_active_at
)
SELECT id, name, email, role, profile_image_url, api_key, "timestamp", "timestamp", "timestamp"
FROM "user" ORDER BY rowid;

DROP TABLE "user";
ALTER TABLE user_new RENAME TO "user";
CREATE UNIQUE INDEX "user_id" ON "user" ("id");
CREATE UNIQUE INDEX "user_api_key" ON "user" ("api_key");
