-- Drops the table of models.

DROP TABLE model;
