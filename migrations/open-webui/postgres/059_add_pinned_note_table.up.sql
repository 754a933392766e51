-- Moves pins from the notes to a table of their own, so that everybody may pin a
-- note. Those there are belong to the owners of the notes; the clock of pinned
-- notes counts nanoseconds.

CREATE TABLE pinned_note (
    id         text NOT NULL CONSTRAINT pinned_note_pkey PRIMARY KEY,
    user_id    text NOT NULL,
    note_id    text NOT NULL CONSTRAINT pinned_note_note_id_fkey REFERENCES note (id) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    CONSTRAINT uq_pinned_note UNIQUE (user_id, note_id)
);

INSERT INTO pinned_note (id, user_id, note_id, created_at)
SELECT gen_random_uuid()::text, user_id, id, floor(extract(epoch FROM now()) * 1000000)::bigint * 1000
FROM note
WHERE is_pinned;

ALTER TABLE note DROP COLUMN is_pinned;
