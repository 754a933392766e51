-- Replaces the time of a user by when the account was created, changed and used
-- last.

ALTER TABLE "user"
    ADD COLUMN created_at bigint,
    ADD COLUMN updated_at bigint,
    ADD COLUMN last_active_at bigint;

UPDATE "user" SET created_at = "timestamp", updated_at = "timestamp", last_active_at = "timestamp";

ALTER TABLE "user"
    DROP COLUMN "timestamp",
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN updated_at SET NOT NULL,
    ALTER COLUMN last_active_at SET NOT NULL;
