-- Adds the type of a memory, which is "context" for all that exist and for those
-- that an older release writes.

ALTER TABLE memory ADD COLUMN type varchar DEFAULT 'context' NOT NULL;
CREATE INDEX ix_memory_type ON memory (type);
