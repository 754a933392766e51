-- Gives users their one time back: when the account was created.
--
-- SQLite adds no column that is NOT NULL without a default, so the table is built
-- anew.

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
SELECT id, name, email, role, profile_image_url, created_at, api_key
FROM "user" ORDER BY rowid;

DROP TABLE "user";
ALTER TABLE user_new RENAME TO "user";
CREATE UNIQUE INDEX "user_id" ON "user" ("id");
CREATE UNIQUE INDEX "user_api_key" ON "user" ("api_key");
