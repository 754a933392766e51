-- Adds the summary of what was said up to a message.

ALTER TABLE chat_message ADD COLUMN context_summary text;
