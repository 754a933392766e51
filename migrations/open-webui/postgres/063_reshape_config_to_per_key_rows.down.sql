-- Brings back the settings as they were before they became rows.

DROP TABLE config;
ALTER TABLE config_old RENAME TO config;
