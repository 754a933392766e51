-- Removes the keys to the API. Their index goes with them.

ALTER TABLE "user" DROP COLUMN api_key;
