-- Adds the valves of tools and functions, JSON as text, and whether a function is
-- active, which none that exists is.
--
-- SQLite adds no column that is NOT NULL without a default, so the table is built
-- anew.

ALTER TABLE tool ADD COLUMN valves TEXT;

CREATE TABLE function_new (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    type       TEXT NOT NULL,
    content    TEXT NOT NULL,
    meta       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    valves     TEXT,
    is_active  INTEGER NOT NULL
);

INSERT INTO function_new (
    id, user_id, name, type, content, meta, created_at, updated_at, valves, is_active
)
SELECT id, user_id, name, type, content, meta, created_at, updated_at, NULL, 0
FROM "function" ORDER BY rowid;

DROP TABLE "function";
ALTER TABLE function_new RENAME TO "function";
CREATE UNIQUE INDEX "function_id" ON "function" ("id");
