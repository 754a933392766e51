-- Lets no two users have one e-mail address, upper and lower case being the same,
-- which SQLite knows of the letters A to Z only. Users without an address are many;
-- an empty text is an address.
--
-- SQLite keeps the text of an index, and this is how it is recorded: without
-- quotes, which the name of the table does not need.

CREATE UNIQUE INDEX uq_user_email_lower ON user (lower(email)) WHERE email IS NOT NULL;
