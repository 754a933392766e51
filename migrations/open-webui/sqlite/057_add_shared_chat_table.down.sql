-- Makes copies in chat from those that are shared, and drops their table and the
-- grants to read them.
--
-- chat asks for a title and times where it was created before 0.9.6.

INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, archived, meta, last_read_at)
SELECT id, 'shared-' || chat_id, coalesce(title, ''), chat,
    coalesce(created_at, updated_at, 0), coalesce(updated_at, created_at, 0), 0, '{}', updated_at
FROM shared_chat
ORDER BY created_at, id;

DELETE FROM access_grant WHERE resource_type = 'shared_chat';

DROP TABLE shared_chat;
