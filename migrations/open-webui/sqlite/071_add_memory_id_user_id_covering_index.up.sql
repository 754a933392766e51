-- Lets an index alone tell whether a memory is one of a user.

CREATE INDEX ix_memory_id_user_id ON memory (id, user_id);
