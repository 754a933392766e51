-- Adds the settings of a user: JSON as text.

ALTER TABLE "user" ADD COLUMN settings text;
