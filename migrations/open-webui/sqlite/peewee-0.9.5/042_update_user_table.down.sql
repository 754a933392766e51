-- Moves an API key and an identity of each user back to the user, and removes
-- what users tell about themselves. Info and settings that are JSON null become
-- NULL, of which the way up made it.
--
-- What oauth holds is JSON of any kind, hence the Go step. The columns get their
-- old places, so the table is built anew.

ALTER TABLE "user" ADD COLUMN api_key TEXT;
ALTER TABLE "user" ADD COLUMN oauth_sub TEXT;

-- The key that the way up made an API key of, or else the oldest. One that expires
-- stays away: it would never do so here.
UPDATE "user" SET api_key = k."key"
FROM (
    SELECT user_id, "key", row_number() OVER (
        PARTITION BY user_id ORDER BY id <> 'key_' || user_id, created_at, id
    ) AS place
    FROM api_key
    WHERE expires_at IS NULL
) AS k
WHERE k.user_id = "user".id AND k.place = 1;

-- schemagate:step user_oauth_sub

-- Of several users with one identity the oldest keeps it, because it is unique.
UPDATE "user" SET oauth_sub = NULL
WHERE id IN (
    SELECT u.id
    FROM (
        SELECT id, row_number() OVER (PARTITION BY oauth_sub ORDER BY created_at, id) AS place
        FROM "user"
        WHERE oauth_sub IS NOT NULL
    ) AS u
    WHERE u.place > 1
);

DROP TABLE api_key;

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
SELECT id, name, email, role, profile_image_url, api_key, created_at, updated_at,
    last_active_at, nullif(settings, 'null'), nullif(info, 'null'), oauth_sub, username,
    bio, gender, date_of_birth
FROM "user" ORDER BY rowid;

DROP TABLE "user";
ALTER TABLE user_new RENAME TO "user";
CREATE UNIQUE INDEX user_id ON user (id);
CREATE UNIQUE INDEX user_api_key ON user (api_key);
CREATE UNIQUE INDEX user_oauth_sub ON user (oauth_sub);
