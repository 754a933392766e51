-- Lets users share an e-mail address again that differs in upper and lower case.

DROP INDEX uq_user_email_lower;
