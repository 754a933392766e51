-- Adds to users what they tell about themselves, and moves their API keys to a
-- table and their identities at other services to JSON.
--
-- Releases from 0.9.6 on put the JSON of an identity into a JSON string, which
-- revision 75 repairs. Here it is the object at once, as 0.6.41 to 0.9.5 made it
-- and expect it.

ALTER TABLE "user"
    ADD COLUMN profile_banner_image_url text,
    ADD COLUMN timezone varchar,
    ADD COLUMN presence_state varchar,
    ADD COLUMN status_emoji varchar,
    ADD COLUMN status_message text,
    ADD COLUMN status_expires_at bigint,
    ADD COLUMN oauth json;

CREATE TABLE api_key (
    id           text NOT NULL,
    user_id      text,
    key          text NOT NULL,
    data         json,
    expires_at   bigint,
    last_used_at bigint,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_key_key UNIQUE (key),
    CONSTRAINT api_key_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES "user" (id) ON DELETE CASCADE
);

INSERT INTO api_key (id, user_id, key, created_at, updated_at)
SELECT 'key_' || u.id, u.id, u.api_key, clock.seconds, clock.seconds
FROM "user" AS u, (SELECT floor(extract(epoch FROM now()))::bigint AS seconds) AS clock
WHERE u.api_key <> '';

-- What precedes the first @ is the service, and the rest who somebody is there.
UPDATE "user"
SET oauth = CASE strpos(oauth_sub, '@')
    WHEN 0 THEN json_build_object('oidc', json_build_object('sub', oauth_sub))
    ELSE json_build_object(
        left(oauth_sub, strpos(oauth_sub, '@') - 1),
        json_build_object('sub', substr(oauth_sub, strpos(oauth_sub, '@') + 1))
    )
END
WHERE oauth_sub <> '';

ALTER TABLE "user"
    DROP COLUMN api_key,
    DROP COLUMN oauth_sub,
    ALTER COLUMN info TYPE json USING info::json,
    ALTER COLUMN settings TYPE json USING settings::json;
