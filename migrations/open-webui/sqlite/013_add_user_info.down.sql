-- Removes what users tell about themselves.

ALTER TABLE "user" DROP COLUMN info;
