-- Removes the summaries of what was said up to a message.

ALTER TABLE chat_message DROP COLUMN context_summary;
