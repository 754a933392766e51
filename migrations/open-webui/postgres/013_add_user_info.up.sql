-- Adds what a user tells about himself: JSON as text.

ALTER TABLE "user" ADD COLUMN info text;
