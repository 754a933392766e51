-- Drops the table of notes.

DROP TABLE note;
