-- Moves the files of knowledge back into a list in each knowledge that has any.
-- Those that were moved from a list have one time, and are in its order.

ALTER TABLE knowledge ADD COLUMN data json;

UPDATE knowledge AS k
SET data = json_build_object('file_ids', f.ids)
FROM (
    SELECT knowledge_id, json_agg(file_id ORDER BY created_at, ctid) AS ids
    FROM knowledge_file
    GROUP BY knowledge_id
) AS f
WHERE f.knowledge_id = k.id;

DROP TABLE knowledge_file;
