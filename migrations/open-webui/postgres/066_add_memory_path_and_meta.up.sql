-- Adds under which path a memory is kept, and what else is known about it.

ALTER TABLE memory
    ADD COLUMN path text,
    ADD COLUMN meta json;
