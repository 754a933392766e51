-- Gives chats their one time back: when they were created.
--
-- The column comes back as the last one; only rewriting the table with its
-- indexes could bring it to its old place, which no statement depends on.

ALTER TABLE chat ADD COLUMN "timestamp" bigint;

UPDATE chat SET "timestamp" = created_at;

ALTER TABLE chat
    ALTER COLUMN "timestamp" SET NOT NULL,
    DROP COLUMN created_at,
    DROP COLUMN updated_at;
