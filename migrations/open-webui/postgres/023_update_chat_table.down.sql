-- Turns the document of a chat back into text, which must not be NULL. A chat
-- without one gets the text that says so.

ALTER TABLE chat
    ALTER COLUMN chat TYPE text USING coalesce(chat::text, 'null'),
    ALTER COLUMN chat SET NOT NULL;
