-- Turns the newest document of settings into rows of key and value. The table it
-- was in stays as config_old with all its versions.
--
-- The document is walked in the order of its members, which may be JSON in a JSON
-- string, hence the Go step.

DROP TABLE IF EXISTS config_old;
ALTER TABLE config RENAME TO config_old;

CREATE TABLE config (
    "key"      TEXT NOT NULL,
    value      JSON NOT NULL,
    updated_at BIGINT,
    PRIMARY KEY ("key")
);

-- schemagate:step config_to_rows

UPDATE config SET updated_at = unixepoch();
