-- Adds which message of a chat is shown, and so which of its branches.
--
-- It is looked for in chat_message and in the document, which holds JSON that
-- PostgreSQL stores but does not take apart, such as a zero character. Hence the
-- Go step.

ALTER TABLE chat ADD COLUMN current_message_id text;

-- schemagate:step chat_current_message
