-- Removes the id under which a chat is shared. Its index goes with it.

ALTER TABLE chat DROP COLUMN share_id;
