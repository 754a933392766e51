-- Moves the members of groups back into a list in each group. Those that were
-- moved from a list have one time, and are in its order.
--
-- The list gets its old place, so the table is built anew.

CREATE TABLE group_new (
    id          TEXT NOT NULL,
    user_id     TEXT,
    name        TEXT,
    description TEXT,
    data        JSON,
    meta        JSON,
    permissions JSON,
    user_ids    JSON,
    created_at  BIGINT,
    updated_at  BIGINT,
    PRIMARY KEY (id),
    UNIQUE (id)
);

INSERT INTO group_new (
    id, user_id, name, description, data, meta, permissions, user_ids, created_at, updated_at
)
SELECT id, user_id, name, description, data, meta, permissions, (
    SELECT json_group_array(m.user_id)
    FROM (
        SELECT user_id FROM group_member
        WHERE group_id = g.id
        ORDER BY created_at, rowid
    ) AS m
), created_at, updated_at
FROM "group" AS g ORDER BY rowid;

DROP TABLE group_member;
DROP TABLE "group";
ALTER TABLE group_new RENAME TO "group";
