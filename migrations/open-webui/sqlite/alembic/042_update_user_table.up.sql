-- Adds to users what they tell about themselves, moves their API keys to a table
-- and their identities at other services to JSON, and turns info and settings
-- from text into json.
--
-- Releases from 0.9.6 on put the JSON of an identity into a JSON string, which
-- revision 75 repairs. Here it is the object at once, as 0.6.41 to 0.9.5 made it
-- and expect it.
--
-- A text that Python does not read becomes JSON null, and it reads more than
-- SQLite, hence the Go step.
--
-- The keys of api_key and oauth_sub are part of the table, so it is built anew.

-- schemagate:step user_text_to_json

CREATE TABLE api_key (
    id           TEXT NOT NULL,
    user_id      TEXT,
    "key"        TEXT NOT NULL,
    data         JSON,
    expires_at   BIGINT,
    last_used_at BIGINT,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (id),
    UNIQUE ("key"),
    FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE
);

INSERT INTO api_key (id, user_id, "key", created_at, updated_at)
SELECT 'key_' || id, id, api_key, strftime('%s', 'now'), strftime('%s', 'now')
FROM "user"
WHERE api_key <> ''
ORDER BY rowid;

CREATE TABLE user_new (
    id                       VARCHAR NOT NULL,
    name                     VARCHAR,
    email                    VARCHAR,
    role                     VARCHAR,
    profile_image_url        TEXT,
    last_active_at           BIGINT,
    updated_at               BIGINT,
    created_at               BIGINT,
    username                 VARCHAR(50),
    bio                      TEXT,
    gender                   TEXT,
    date_of_birth            DATE,
    profile_banner_image_url TEXT,
    timezone                 VARCHAR,
    presence_state           VARCHAR,
    status_emoji             VARCHAR,
    status_message           TEXT,
    status_expires_at        BIGINT,
    oauth                    JSON,
    info                     JSON,
    settings                 JSON,
    PRIMARY KEY (id)
);

-- What precedes the first @ is the service, and the rest who somebody is there.
INSERT INTO user_new (
    id, name, email, role, profile_image_url, last_active_at, updated_at, created_at,
    username, bio, gender, date_of_birth, oauth, info, settings
)
SELECT id, name, email, role, profile_image_url, last_active_at, updated_at, created_at,
    username, bio, gender, date_of_birth,
    CASE
        WHEN instr(oauth_sub, '@') > 0 THEN json_object(
            substr(oauth_sub, 1, instr(oauth_sub, '@') - 1),
            json_object('sub', substr(oauth_sub, instr(oauth_sub, '@') + 1))
        )
        WHEN oauth_sub <> '' THEN json_object('oidc', json_object('sub', oauth_sub))
    END,
    coalesce(info, 'null'), coalesce(settings, 'null')
FROM "user" ORDER BY rowid;

DROP TABLE "user";
ALTER TABLE user_new RENAME TO "user";
