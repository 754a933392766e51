-- Gives files a column for the path that is in their meta, and turns meta, which
-- may be NULL from here on, from text into json.
--
-- A path is whatever Python's drivers make a text of, hence the Go step.

ALTER TABLE file ADD COLUMN path text;

-- schemagate:step file_paths

ALTER TABLE file
    ALTER COLUMN meta DROP NOT NULL,
    ALTER COLUMN meta TYPE json USING meta::json;
