-- Creates modelfile again and moves back the models that were made from one:
-- those named as the way up names them that still carry the text of their model
-- file. All other models stay where they are, and so do those that do not fit
-- into modelfile or whose meta PostgreSQL cannot read, such as one with a zero
-- character: staying, they lose nothing.
--
-- The block catches errors row by row, because PostgreSQL before 16 cannot ask
-- whether a text is JSON without failing.

CREATE TABLE modelfile (
    id          serial CONSTRAINT modelfile_pkey PRIMARY KEY,
    tag_name    varchar(255) NOT NULL,
    user_id     varchar(255) NOT NULL,
    modelfile   text NOT NULL,
    "timestamp" bigint NOT NULL
);
CREATE UNIQUE INDEX modelfile_tag_name ON modelfile (tag_name);

DO $$
DECLARE
    source record;
    meta   json;
    owner  json;
    tag    text;
BEGIN
    FOR source IN
        SELECT m.id, m.user_id, m.name, m.meta, m.created_at
        FROM model AS m
        WHERE m.id LIKE 'ollama-%'
        ORDER BY m.created_at, m.id
    LOOP
        BEGIN
            meta := source.meta::json;
            CONTINUE WHEN json_typeof(meta #> '{ollama,modelfile}') IS DISTINCT FROM 'string';

            -- The way up marks the author as a member of the community.
            owner := '{}';
            IF json_typeof(meta -> 'user') = 'object' THEN
                SELECT coalesce(json_object_agg(f.key, f.value), '{}') INTO owner
                FROM json_each(meta -> 'user') AS f
                WHERE f.key <> 'community';
            END IF;
            tag := substr(source.id, length('ollama-') + 1);

            INSERT INTO modelfile (tag_name, user_id, modelfile, "timestamp")
            VALUES (tag, source.user_id, json_build_object(
                'tagName', tag,
                'imageUrl', meta -> 'profile_image_url',
                'title', source.name,
                'desc', meta -> 'description',
                'content', meta #> '{ollama,modelfile}',
                'suggestionPrompts', meta -> 'suggestion_prompts',
                'categories', meta -> 'categories',
                'user', owner
            )::text, source.created_at);

            DELETE FROM model AS m WHERE m.id = source.id;
        EXCEPTION
            WHEN data_exception THEN
                NULL; -- The row stays a model.
        END;
    END LOOP;
END
$$;
