-- Lets no two users have one e-mail address, upper and lower case being the same.
-- Users without an address are many; an empty text is an address.

CREATE UNIQUE INDEX uq_user_email_lower ON "user" (lower(email)) WHERE email IS NOT NULL;
