-- Removes what users say about themselves.

ALTER TABLE "user"
    DROP COLUMN date_of_birth,
    DROP COLUMN gender,
    DROP COLUMN bio,
    DROP COLUMN username;
