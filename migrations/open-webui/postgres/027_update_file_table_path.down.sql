-- Removes the path of files, which is in their meta still, and turns meta back
-- into text. A file without meta gets an empty one: it must have one, and the way
-- up refuses JSON null.

ALTER TABLE file
    DROP COLUMN path,
    ALTER COLUMN meta TYPE text USING CASE
        WHEN meta IS NULL OR json_typeof(meta) = 'null' THEN '{}'
        ELSE meta::text
    END,
    ALTER COLUMN meta SET NOT NULL;
