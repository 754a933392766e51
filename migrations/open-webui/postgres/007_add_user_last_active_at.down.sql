-- Gives users their one time back: when the account was created.
--
-- The column comes back as the last one; only rewriting the table with its
-- indexes could bring it to its old place, which no statement depends on.

ALTER TABLE "user" ADD COLUMN "timestamp" bigint;

UPDATE "user" SET "timestamp" = created_at;

ALTER TABLE "user"
    ALTER COLUMN "timestamp" SET NOT NULL,
    DROP COLUMN created_at,
    DROP COLUMN updated_at,
    DROP COLUMN last_active_at;
