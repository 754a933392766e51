-- Adds when a chat is due, for those that wait for it, and indexes for lists of
-- chats and for the last message of a chat.
--
-- The time is in meta, where it may be a text that Python reads as an integer.
-- Hence the Go step. The column is indexed afterwards, which is cheaper.

ALTER TABLE chat ADD COLUMN timer_at BIGINT;

-- schemagate:step chat_timers

CREATE INDEX timer_at_idx ON chat (timer_at) WHERE timer_at IS NOT NULL;
CREATE INDEX user_id_timer_at_idx ON chat (user_id, timer_at) WHERE timer_at IS NOT NULL;
CREATE INDEX user_id_updated_at_id_idx ON chat (user_id, updated_at DESC, id);
CREATE INDEX user_id_folder_unread_idx ON chat (user_id, folder_id, archived, updated_at, last_read_at, id);
CREATE INDEX chat_message_chat_role_done_idx ON chat_message (chat_id, role, done);
