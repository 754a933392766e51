-- Adds whether a function is global, which none that exists is.
--
-- With a constant default PostgreSQL does not touch the rows. The default does
-- not stay.

ALTER TABLE "function" ADD COLUMN is_global boolean NOT NULL DEFAULT false;
ALTER TABLE "function" ALTER COLUMN is_global DROP DEFAULT;
