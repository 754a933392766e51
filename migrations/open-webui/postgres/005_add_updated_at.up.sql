-- Replaces the time of a chat by when it was created and when it was changed last.

ALTER TABLE chat
    ADD COLUMN created_at bigint,
    ADD COLUMN updated_at bigint;

UPDATE chat SET created_at = "timestamp", updated_at = "timestamp";

ALTER TABLE chat
    DROP COLUMN "timestamp",
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN updated_at SET NOT NULL;
