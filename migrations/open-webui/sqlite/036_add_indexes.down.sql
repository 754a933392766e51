-- Drops the indexes for the lists of chats and tags, and for global functions.

DROP INDEX is_global_idx;
DROP INDEX user_id_idx;
DROP INDEX folder_id_user_id_idx;
DROP INDEX updated_at_user_id_idx;
DROP INDEX user_id_archived_idx;
DROP INDEX user_id_pinned_idx;
DROP INDEX folder_id_idx;
