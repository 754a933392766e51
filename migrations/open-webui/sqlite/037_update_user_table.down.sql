-- Removes what users say about themselves.

ALTER TABLE "user" DROP COLUMN date_of_birth;
ALTER TABLE "user" DROP COLUMN gender;
ALTER TABLE "user" DROP COLUMN bio;
ALTER TABLE "user" DROP COLUMN username;
