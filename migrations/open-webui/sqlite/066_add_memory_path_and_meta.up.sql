-- Adds under which path a memory is kept, and what else is known about it.

ALTER TABLE memory ADD COLUMN path TEXT;
ALTER TABLE memory ADD COLUMN meta JSON;
