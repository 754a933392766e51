-- Drops the index that tells whether a memory is one of a user.

DROP INDEX ix_memory_id_user_id;
