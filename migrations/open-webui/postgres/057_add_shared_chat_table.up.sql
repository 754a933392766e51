-- Moves the copies of chats that were made for sharing, which chat keeps under a
-- user named after the original, to a table of their own, and lets everybody read
-- the originals' shared copies. Copies without an original are deleted.
--
-- Where there are several copies of one chat, the first one in the table dates the
-- grant. Deleting a copy deletes by foreign key what refers to it: also a copy of
-- the copy, and links to files.

CREATE TABLE shared_chat (
    id         text NOT NULL,
    chat_id    text NOT NULL,
    user_id    text NOT NULL,
    title      text,
    chat       json,
    created_at bigint,
    updated_at bigint,
    CONSTRAINT shared_chat_pkey PRIMARY KEY (id),
    CONSTRAINT shared_chat_chat_id_fkey FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE
);

INSERT INTO shared_chat (id, chat_id, user_id, title, chat, created_at, updated_at)
SELECT copy.id, original.id, original.user_id, copy.title, coalesce(copy.chat, 'null'),
    copy.created_at, copy.updated_at
FROM chat AS copy
    JOIN chat AS original ON original.id = substr(copy.user_id, length('shared-') + 1)
WHERE copy.user_id LIKE 'shared-%';

INSERT INTO access_grant (id, resource_type, resource_id, principal_type, principal_id, permission, created_at)
SELECT gen_random_uuid()::text, 'shared_chat', shared.chat_id, 'user', '*', 'read',
    coalesce(nullif(shared.created_at, 0), floor(extract(epoch FROM now()))::bigint)
FROM shared_chat AS shared
    JOIN chat AS copy ON copy.id = shared.id
ORDER BY copy.ctid
ON CONFLICT DO NOTHING;

DELETE FROM chat_message WHERE chat_id IN (SELECT id FROM chat WHERE user_id LIKE 'shared-%');
DELETE FROM chat WHERE user_id LIKE 'shared-%';
