-- Turns the document of a chat back into text.

ALTER TABLE chat ALTER COLUMN chat TYPE text USING chat::text;
