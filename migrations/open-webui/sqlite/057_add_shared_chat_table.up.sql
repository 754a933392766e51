-- Moves the copies of chats that were made for sharing, which chat keeps under a
-- user named after the original, to a table of their own, and lets everybody read
-- the originals' shared copies. Copies without an original are deleted.
--
-- The application looks for these users regardless of case, as LIKE does on SQLite,
-- but takes only a prefix in lower case off. Where there are several copies of one
-- chat, the first one in the table dates the grant.

CREATE TABLE shared_chat (
    id         TEXT NOT NULL,
    chat_id    TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    title      TEXT,
    chat       JSON,
    created_at BIGINT,
    updated_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE
);

INSERT INTO shared_chat (id, chat_id, user_id, title, chat, created_at, updated_at)
SELECT copy.id, original.id, original.user_id, copy.title, coalesce(copy.chat, 'null'),
    copy.created_at, copy.updated_at
FROM chat AS copy
    JOIN chat AS original ON original.id = CASE instr(copy.user_id, 'shared-')
        WHEN 0 THEN copy.user_id
        ELSE substr(copy.user_id, 1, instr(copy.user_id, 'shared-') - 1)
            || substr(copy.user_id, instr(copy.user_id, 'shared-') + length('shared-'))
    END
WHERE copy.user_id LIKE 'shared-%'
ORDER BY copy.rowid;

INSERT INTO access_grant (id, resource_type, resource_id, principal_type, principal_id, permission, created_at)
SELECT
    lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
    'shared_chat', chat_id, 'user', '*', 'read',
    coalesce(nullif(created_at, 0), CAST(strftime('%s', 'now') AS INTEGER))
FROM shared_chat
WHERE true
ORDER BY rowid
ON CONFLICT DO NOTHING;

-- What refers to a copy goes with it. Foreign keys, which would see to that, are off
-- while tables are changed.
DELETE FROM chat_message WHERE chat_id IN (SELECT id FROM chat WHERE user_id LIKE 'shared-%');
DELETE FROM chat_file WHERE chat_id IN (SELECT id FROM chat WHERE user_id LIKE 'shared-%');
DELETE FROM shared_chat WHERE chat_id IN (SELECT id FROM chat WHERE user_id LIKE 'shared-%');
DELETE FROM chat WHERE user_id LIKE 'shared-%';
