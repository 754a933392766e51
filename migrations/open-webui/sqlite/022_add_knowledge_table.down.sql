-- Drops the table of knowledge. The documents were never removed.

DROP TABLE knowledge;
