-- Removes the settings of users.

ALTER TABLE "user" DROP COLUMN settings;
