-- Removes the indexes and when a chat is due.

DROP INDEX chat_message_chat_role_done_idx;
DROP INDEX user_id_folder_unread_idx;
DROP INDEX user_id_updated_at_id_idx;
DROP INDEX user_id_timer_at_idx;
DROP INDEX timer_at_idx;
ALTER TABLE chat DROP COLUMN timer_at;
