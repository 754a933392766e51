-- Removes the id under which a chat is shared.

DROP INDEX chat_share_id;
ALTER TABLE chat DROP COLUMN share_id;
