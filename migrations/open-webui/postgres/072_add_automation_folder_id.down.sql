-- Removes in which folders automations lie.

DROP INDEX ix_automation_user_folder;
ALTER TABLE automation DROP COLUMN folder_id;
