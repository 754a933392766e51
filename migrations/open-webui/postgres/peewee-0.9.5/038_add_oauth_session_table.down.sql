-- Drops the table of sessions with OAuth providers, and the keys of users that
-- came with it. The unique index stays.

DROP TABLE oauth_session;

ALTER TABLE "user"
    DROP CONSTRAINT pk_user_id,
    DROP CONSTRAINT uq_user_id;
