-- Marks the notes that anybody has pinned, and drops the table of pins.

ALTER TABLE note ADD COLUMN is_pinned boolean;

UPDATE note SET is_pinned = TRUE WHERE id IN (SELECT note_id FROM pinned_note);

DROP TABLE pinned_note;
