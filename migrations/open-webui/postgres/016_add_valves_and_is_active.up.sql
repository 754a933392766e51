-- Adds the valves of tools and functions, JSON as text, and whether a function is
-- active, which none that exists is.
--
-- With a constant default PostgreSQL does not touch the rows. The default does
-- not stay.

ALTER TABLE tool ADD COLUMN valves text;

ALTER TABLE "function"
    ADD COLUMN valves text,
    ADD COLUMN is_active boolean NOT NULL DEFAULT false;
ALTER TABLE "function" ALTER COLUMN is_active DROP DEFAULT;
