-- Removes which message a message replies to.

ALTER TABLE message DROP COLUMN reply_to_id;
