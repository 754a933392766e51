-- Adds the name by which an identity provider knows a user.

ALTER TABLE "user" ADD COLUMN oauth_sub TEXT;
CREATE UNIQUE INDEX "user_oauth_sub" ON "user" ("oauth_sub");
