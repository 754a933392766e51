-- Removes the names by which identity providers know users.

DROP INDEX user_oauth_sub;
ALTER TABLE "user" DROP COLUMN oauth_sub;
