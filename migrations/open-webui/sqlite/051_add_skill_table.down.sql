-- Drops the table of skills.

DROP TABLE skill;
