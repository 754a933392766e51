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

-- schemagate:step user_text_to_json

ALTER TABLE "user" ADD COLUMN profile_banner_image_url TEXT;
ALTER TABLE "user" ADD COLUMN timezone VARCHAR;
ALTER TABLE "user" ADD COLUMN presence_state VARCHAR;
ALTER TABLE "user" ADD COLUMN status_emoji VARCHAR;
ALTER TABLE "user" ADD COLUMN status_message TEXT;
ALTER TABLE "user" ADD COLUMN status_expires_at BIGINT;
ALTER TABLE "user" ADD COLUMN oauth JSON;
ALTER TABLE "user" ADD COLUMN info_json JSON;
ALTER TABLE "user" ADD COLUMN settings_json JSON;

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

-- What precedes the first @ is the service, and the rest who somebody is there.
UPDATE "user"
SET info_json = coalesce(info, 'null'),
    settings_json = coalesce(settings, 'null'),
    oauth = CASE
        WHEN instr(oauth_sub, '@') > 0 THEN json_object(
            substr(oauth_sub, 1, instr(oauth_sub, '@') - 1),
            json_object('sub', substr(oauth_sub, instr(oauth_sub, '@') + 1))
        )
        WHEN oauth_sub <> '' THEN json_object('oidc', json_object('sub', oauth_sub))
    END;

DROP INDEX user_api_key;
DROP INDEX user_oauth_sub;
ALTER TABLE "user" DROP COLUMN api_key;
ALTER TABLE "user" DROP COLUMN oauth_sub;
ALTER TABLE "user" DROP COLUMN info;
ALTER TABLE "user" DROP COLUMN settings;
ALTER TABLE "user" RENAME COLUMN info_json TO info;
ALTER TABLE "user" RENAME COLUMN settings_json TO settings;

-- SQLite keeps the text of a definition, and the application's has no quotes from
-- here on.
DROP INDEX user_id;
CREATE UNIQUE INDEX user_id ON user (id);
