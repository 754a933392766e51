-- Turns the document of a chat from text into json, which makes it the last
-- column.
--
-- Python reads more as JSON than PostgreSQL, and what neither reads becomes JSON
-- null, hence the Go step; it leaves only JSON behind. The last statement writes
-- the table once and leaves the old column out, where an UPDATE would keep every
-- document twice.

-- schemagate:step chat_text_to_json

ALTER TABLE chat RENAME COLUMN chat TO old_chat;
ALTER TABLE chat ADD COLUMN chat json;
ALTER TABLE chat
    DROP COLUMN old_chat,
    ALTER COLUMN chat TYPE json USING old_chat::json;
