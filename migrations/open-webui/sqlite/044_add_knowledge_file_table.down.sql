-- Moves the files of knowledge back into a list in each knowledge that has any.
-- Those that were moved from a list have one time, and are in its order.
--
-- The list gets its old place, so the table is built anew.

CREATE TABLE knowledge_new (
    id             TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    name           TEXT NOT NULL,
    description    TEXT,
    data           JSON,
    meta           JSON,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT,
    access_control JSON,
    PRIMARY KEY (id)
);

INSERT INTO knowledge_new (
    id, user_id, name, description, data, meta, created_at, updated_at, access_control
)
SELECT id, user_id, name, description, (
    SELECT json_object('file_ids', json_group_array(f.file_id))
    FROM (
        SELECT file_id FROM knowledge_file
        WHERE knowledge_id = k.id
        ORDER BY created_at, rowid
    ) AS f
    HAVING count(*) > 0
), meta, created_at, updated_at, access_control
FROM knowledge AS k ORDER BY rowid;

DROP TABLE knowledge_file;
DROP TABLE knowledge;
ALTER TABLE knowledge_new RENAME TO knowledge;
