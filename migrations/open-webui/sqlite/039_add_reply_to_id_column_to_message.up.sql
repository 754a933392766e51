-- Adds which message a message replies to.

ALTER TABLE message ADD COLUMN reply_to_id TEXT;
