-- Adds what users say about themselves.

ALTER TABLE "user"
    ADD COLUMN username varchar(50),
    ADD COLUMN bio text,
    ADD COLUMN gender text,
    ADD COLUMN date_of_birth date;
