-- Drops the table of what users think of answers.

DROP TABLE feedback;
