-- Moves pins from the notes to a table of their own, so that everybody may pin a
-- note. Those there are belong to the owners of the notes; the clock of pinned
-- notes counts nanoseconds.

CREATE TABLE pinned_note (
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    note_id    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (note_id) REFERENCES note (id) ON DELETE CASCADE,
    CONSTRAINT uq_pinned_note UNIQUE (user_id, note_id)
);

-- The id is a random UUID: its version is 4, its variant one of 8, 9, a and b.
INSERT INTO pinned_note (id, user_id, note_id, created_at)
SELECT
    lower(
        hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
        || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))
    ),
    user_id,
    id,
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000000
FROM note
WHERE is_pinned;

ALTER TABLE note DROP COLUMN is_pinned;
