-- Turns the newest document of settings into rows of key and value. The table it
-- was in stays as config_old with all its versions, its sequence and the name of
-- its key, which is why the new key has another one.
--
-- The document is walked in the order of its members, which may be JSON in a JSON
-- string, hence the Go step.

DROP TABLE IF EXISTS config_old;
ALTER TABLE config RENAME TO config_old;

CREATE TABLE config (
    key        text NOT NULL CONSTRAINT config_pkey1 PRIMARY KEY,
    value      json NOT NULL,
    updated_at bigint
);

-- schemagate:step config_to_rows

UPDATE config SET updated_at = floor(extract(epoch FROM now()))::bigint;
