-- Drops the table of settings.

DROP TABLE config;
