-- Adds what users say about themselves.

ALTER TABLE "user" ADD COLUMN username VARCHAR(50);
ALTER TABLE "user" ADD COLUMN bio TEXT;
ALTER TABLE "user" ADD COLUMN gender TEXT;
ALTER TABLE "user" ADD COLUMN date_of_birth DATE;
