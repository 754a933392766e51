-- Moves an API key and an identity of each user back to the user, and removes
-- what users tell about themselves.
--
-- What oauth holds is JSON of any kind, hence the Go step.

ALTER TABLE "user"
    ADD COLUMN api_key varchar(255),
    ADD COLUMN oauth_sub text,
    ALTER COLUMN info TYPE text USING info::text,
    ALTER COLUMN settings TYPE text USING settings::text;

-- The key that the way up made an API key of, or else the oldest. One that expires
-- stays away: it would never do so here.
UPDATE "user" AS u SET api_key = k.key
FROM (
    SELECT DISTINCT ON (user_id) user_id, key
    FROM api_key
    WHERE expires_at IS NULL AND length(key) <= 255
    ORDER BY user_id, id <> 'key_' || user_id, created_at, id
) AS k
WHERE k.user_id = u.id;

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

ALTER TABLE "user"
    DROP COLUMN profile_banner_image_url,
    DROP COLUMN timezone,
    DROP COLUMN presence_state,
    DROP COLUMN status_emoji,
    DROP COLUMN status_message,
    DROP COLUMN status_expires_at,
    DROP COLUMN oauth;
CREATE UNIQUE INDEX user_api_key ON "user" (api_key);
CREATE UNIQUE INDEX user_oauth_sub ON "user" (oauth_sub);
