-- Removes the variables of users.

ALTER TABLE "user" DROP COLUMN variables;
