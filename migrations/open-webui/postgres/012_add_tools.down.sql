-- Drops the table of tools.

DROP TABLE tool;
