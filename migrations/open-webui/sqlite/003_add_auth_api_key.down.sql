-- Removes the keys to the API.

DROP INDEX user_api_key;
ALTER TABLE "user" DROP COLUMN api_key;
