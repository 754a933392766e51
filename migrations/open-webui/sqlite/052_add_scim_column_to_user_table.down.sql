-- Removes by which names directory services know a user.

ALTER TABLE "user" DROP COLUMN scim;
