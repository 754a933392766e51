-- Drops the table of what a model remembers about a user.

DROP TABLE memory;
