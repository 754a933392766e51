-- Adds by which names a directory service that provisions accounts knows a user.

ALTER TABLE "user" ADD COLUMN scim JSON;
