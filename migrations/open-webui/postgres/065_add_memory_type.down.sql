-- Removes the types of memories.

DROP INDEX ix_memory_type;
ALTER TABLE memory DROP COLUMN type;
