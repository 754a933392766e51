-- Adds the mark of archived chats, false for all that exist.
--
-- With a constant default PostgreSQL does not touch the rows. The default does
-- not stay.

ALTER TABLE chat ADD COLUMN archived boolean NOT NULL DEFAULT false;
ALTER TABLE chat ALTER COLUMN archived DROP DEFAULT;
