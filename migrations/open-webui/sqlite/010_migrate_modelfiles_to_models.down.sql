-- Creates modelfile again and moves back the models that were made from one:
-- those named as the way up names them that still carry the text of their model
-- file. All other models stay where they are, and so do those whose meta SQLite
-- cannot read: staying, they lose nothing.
--
-- CASE, because SQLite may look at both sides of AND, and looking into a text
-- that is no JSON is an error.

CREATE TABLE modelfile (
    id          INTEGER NOT NULL PRIMARY KEY,
    tag_name    VARCHAR(255) NOT NULL,
    user_id     VARCHAR(255) NOT NULL,
    modelfile   TEXT NOT NULL,
    "timestamp" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "modelfile_tag_name" ON "modelfile" ("tag_name");

INSERT INTO modelfile (tag_name, user_id, modelfile, "timestamp")
SELECT substr(id, 8), user_id, json_object(
    'tagName', substr(id, 8),
    'imageUrl', json(meta -> '$.profile_image_url'),
    'title', name,
    'desc', json(meta -> '$.description'),
    'content', json(meta -> '$.ollama.modelfile'),
    'suggestionPrompts', json(meta -> '$.suggestion_prompts'),
    'categories', json(meta -> '$.categories'),
    -- The way up marks the author as a member of the community.
    'user', json(CASE json_type(meta, '$.user')
        WHEN 'object' THEN json_remove(meta -> '$.user', '$.community')
        ELSE '{}'
    END)
), created_at
FROM model
WHERE substr(id, 1, 7) = 'ollama-'
    AND CASE WHEN json_valid(meta) THEN json_type(meta, '$.ollama.modelfile') END = 'text'
ORDER BY created_at, id;

DELETE FROM model
WHERE substr(id, 1, 7) = 'ollama-'
    AND CASE WHEN json_valid(meta) THEN json_type(meta, '$.ollama.modelfile') END = 'text';
