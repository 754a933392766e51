-- Drops the table of folders, and which one a chat lies in.

ALTER TABLE chat DROP COLUMN folder_id;
DROP TABLE folder;
