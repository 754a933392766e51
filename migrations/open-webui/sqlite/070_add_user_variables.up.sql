-- Adds the variables of a user.

ALTER TABLE "user" ADD COLUMN variables JSON;
