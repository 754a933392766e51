-- Adds the key with which a user calls the API.

ALTER TABLE "user" ADD COLUMN api_key VARCHAR(255);
CREATE UNIQUE INDEX "user_api_key" ON "user" ("api_key");
