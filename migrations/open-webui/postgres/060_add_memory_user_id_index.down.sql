-- Drops the index by which the memories of a user are found.

DROP INDEX ix_memory_user_id;
