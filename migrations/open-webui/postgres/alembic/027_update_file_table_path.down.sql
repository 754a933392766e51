-- Removes the path of files, which is in their meta still, and turns meta back
-- into text. JSON null becomes NULL, because the way up refuses it.

ALTER TABLE file
    DROP COLUMN path,
    ALTER COLUMN meta TYPE text USING CASE
        WHEN json_typeof(meta) <> 'null' THEN meta::text
    END;
