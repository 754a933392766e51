-- Adds which message of a chat is shown, and so which of its branches.
--
-- It is looked for in chat_message and in the document, which holds JSON as
-- Python writes it, and that is more than SQLite reads. Hence the Go step.

ALTER TABLE chat ADD COLUMN current_message_id TEXT;

-- schemagate:step chat_current_message
