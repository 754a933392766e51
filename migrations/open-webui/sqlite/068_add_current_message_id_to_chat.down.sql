-- Removes which message of a chat is shown.

ALTER TABLE chat DROP COLUMN current_message_id;
