-- Adds in which folder an automation lies, NULL meaning in none, and lets those of
-- a user be found by folder.

ALTER TABLE automation ADD COLUMN folder_id TEXT;
CREATE INDEX ix_automation_user_folder ON automation (user_id, folder_id);
