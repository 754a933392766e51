-- Removes the paths of memories, and what else was known about them.

ALTER TABLE memory DROP COLUMN meta;
ALTER TABLE memory DROP COLUMN path;
