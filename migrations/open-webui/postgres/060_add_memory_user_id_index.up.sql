-- Lets the memories of a user be found by an index.

CREATE INDEX ix_memory_user_id ON memory (user_id);
