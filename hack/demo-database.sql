-- Rows for the database of the demonstration, at revision 018 of the Peewee
-- history, as release 0.3.6 writes them. People, texts and keys are invented,
-- and every run gives the same ones.

CREATE FUNCTION pg_temp.id(seed text) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT md5('schemagate demo ' || seed)::uuid::text $$;

-- The n-th of a list, again and again.
CREATE FUNCTION pg_temp.pick(n bigint, VARIADIC list text[]) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT list[1 + n % cardinality(list)] $$;

-- The application's own record of its migrations, which the tables came with.
-- It was installed in spring and updated with each release.
UPDATE migratehistory SET migrated_at = timestamp '2024-03-01 08:00:00' + id * interval '157 hours 13 minutes';

-- Five people, one of whom has not been let in yet.
INSERT INTO "user" (id, name, email, role, profile_image_url, api_key, created_at, updated_at, last_active_at,
                    settings, info, oauth_sub)
SELECT pg_temp.id('user ' || n), 'Example Person ' || n, 'person' || n || '@example.test',
       pg_temp.pick(n - 1, 'admin', 'user', 'user', 'user', 'pending'), '/user.png',
       CASE WHEN n <= 2 THEN 'sk-' || md5('key ' || n) END,
       1709280000 + n * 86400, 1719300000 + n * 60, 1719490000 + n * 600,
       CASE WHEN n <= 3 THEN json_build_object('ui', json_build_object(
         'theme', pg_temp.pick(n, 'dark', 'light'), 'chatBubble', n % 2 = 0, 'models', json_build_array('llama3:latest'),
         'notifications', json_build_object('webhook_url', ''), 'language', pg_temp.pick(n, 'en-US', 'de-DE', 'fr-FR')))::text END,
       CASE WHEN n = 2 THEN '{"location": "Nowhere, Example Land"}' END,
       CASE WHEN n = 4 THEN 'oidc@example-subject-4' END
FROM generate_series(1, 5) n;

INSERT INTO auth (id, email, password, active)
SELECT id, email, '$2b$12$' || translate(left(encode(sha256(email::bytea), 'base64') || 'xxxxxxxxxx', 53), '+=', './'), true
FROM "user";

-- 195 chats of two to twelve messages each, among four people.
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT n, pg_temp.id('chat ' || n) AS id, pg_temp.id('user ' || (1 + n % 4)) AS user_id, 2 * (1 + n % 6) AS messages,
       1711900000 + n * 38000 AS started, pg_temp.pick(n, 'llama3:latest', 'mistral:7b', 'gpt-4o', 'my-writer') AS model,
       pg_temp.pick(n, 'Weekend in the mountains', 'Soup for six', 'Why is the build slow?', 'Letter to the landlord',
                    'Ünïcödé, "quotes" and 漢字', 'Explain tides', 'Regex for dates', '🌱 Balcony garden') || ' (' || n || ')' AS title
FROM generate_series(1, 195) n;

CREATE TEMPORARY TABLE said ON COMMIT DROP AS
SELECT chat.n, m, pg_temp.id('message ' || chat.n || ' ' || m) AS id,
  json_build_object(
    'id', pg_temp.id('message ' || chat.n || ' ' || m),
    'parentId', CASE WHEN m > 1 THEN pg_temp.id('message ' || chat.n || ' ' || m - 1) END,
    'childrenIds', CASE WHEN m < messages THEN json_build_array(pg_temp.id('message ' || chat.n || ' ' || m + 1)) ELSE '[]' END,
    'timestamp', started + m * 40,
    'role', CASE WHEN m % 2 = 1 THEN 'user' ELSE 'assistant' END,
    'content', CASE WHEN m % 2 = 1
      THEN pg_temp.pick(chat.n + m, 'What do you think?', 'Could you shorten that, please?', E'It says:\n\n> "not found"\n\nWhat now?',
                        'And in winter?', 'Grüße! Noch einmal auf Deutsch, bitte.')
      ELSE pg_temp.pick(chat.n + m, 'It depends on the weather, and a little on you.', E'Try this:\n\n```python\nprint("hello\\tthere")\n```\n',
                        E'1. Wash the leeks.\n2. Wait.\n3. Add salt – not too much.', 'Because the moon pulls at the sea. 🌊',
                        repeat('One could say more about that. ', 1 + chat.n % 12)) END)::jsonb
  || CASE WHEN m % 2 = 1 THEN jsonb_build_object('models', jsonb_build_array(model))
     ELSE jsonb_build_object('model', model, 'done', true, 'context', NULL, 'userContext', NULL,
                             'info', jsonb_build_object('eval_count', 40 + m, 'total_duration', 1000000 * m)) END AS message
FROM made chat, generate_series(1, messages) m;

INSERT INTO chat (id, user_id, title, chat, share_id, archived, created_at, updated_at)
SELECT id, user_id, title, json_build_object(
         'id', '', 'title', title, 'models', json_build_array(model), 'options', '{}'::json,
         'messages', (SELECT json_agg(message ORDER BY m) FROM said WHERE said.n = made.n),
         'history', json_build_object(
           'messages', (SELECT json_object_agg(said.id, message ORDER BY m) FROM said WHERE said.n = made.n),
           'currentId', pg_temp.id('message ' || n || ' ' || messages)),
         'tags', '[]'::json, 'timestamp', started::bigint * 1000, 'files', '[]'::json)::text,
       CASE WHEN n % 39 = 0 THEN pg_temp.id('share ' || n) END, n % 9 = 0, started, started + messages * 40
FROM made;

-- Five of them are shared: a copy under the name of nobody makes 200.
INSERT INTO chat (id, user_id, title, chat, share_id, archived, created_at, updated_at)
SELECT share_id, 'shared-' || id, title, chat, NULL, false, updated_at + 60, updated_at + 60 FROM chat WHERE share_id IS NOT NULL;

-- Every third chat has a tag, some have two.
CREATE TEMPORARY TABLE tagged ON COMMIT DROP AS
SELECT n, id AS chat_id, user_id, started, name
FROM made, LATERAL (VALUES (pg_temp.pick(n / 3, 'Travel', 'Work Notes', 'recipes', 'garden')), (CASE WHEN n % 5 = 0 THEN 'pinned' END)) AS t (name)
WHERE n % 3 = 0 AND name IS NOT NULL;

INSERT INTO tag (id, name, user_id, data)
SELECT pg_temp.id('tag ' || user_id || name), name, user_id, NULL FROM tagged GROUP BY user_id, name;

INSERT INTO chatidtag (id, tag_name, chat_id, user_id, "timestamp")
SELECT pg_temp.id('chatidtag ' || chat_id || name), name, chat_id, user_id, started + 900 FROM tagged;

INSERT INTO document (collection_name, name, title, filename, content, user_id, "timestamp")
SELECT encode(sha256(('document ' || n)::bytea), 'hex'), 'manual-' || n || '.pdf', 'Manual ' || n, 'manual-' || n || '.pdf',
       CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN '{}' ELSE json_build_object('tags', json_build_array(json_build_object('name', 'Manuals')))::text END,
       pg_temp.id('user ' || (1 + n % 3)), 1712500000 + n * 7200
FROM generate_series(1, 12) n;

INSERT INTO prompt (command, user_id, title, content, "timestamp")
SELECT '/' || command, pg_temp.id('user ' || (1 + n % 2)), initcap(command), 'Please ' || command || E' this:\n\n{{CLIPBOARD}}', 1713000000 + n * 3600
FROM unnest(ARRAY['summarize', 'translate', 'shorten', 'explain', 'rhyme', 'correct', 'outline', 'title']) WITH ORDINALITY AS t (command, n);

INSERT INTO memory (id, user_id, content, updated_at, created_at)
SELECT pg_temp.id('memory ' || n), pg_temp.id('user ' || (1 + n % 3)),
       pg_temp.pick(n, 'Prefers short answers.', 'Has a balcony that faces north.', 'Cooks without leeks.', 'Writes dates as 2024-06-27.'),
       1714000000 + n * 500, 1714000000 + n * 500
FROM generate_series(1, 12) n;

INSERT INTO model (id, user_id, base_model_id, name, meta, params, created_at, updated_at)
SELECT 'my-' || name, pg_temp.id('user 1'), 'llama3:latest', 'My ' || initcap(name),
       json_build_object('profile_image_url', '/favicon.png', 'description', 'Invented for the demonstration', 'capabilities', json_build_object('vision', false))::text,
       json_build_object('system', 'You are a ' || name || '.', 'temperature', 0.5)::text, 1716500000 + n, 1716500000 + n
FROM unnest(ARRAY['writer', 'gardener', 'cook']) WITH ORDINALITY AS t (name, n);

INSERT INTO tool (id, user_id, name, content, specs, meta, created_at, updated_at, valves)
SELECT name, pg_temp.id('user 1'), initcap(name), format(E'class Tools:\n    def %s(self) -> str:\n        """Says something."""\n        return "example"\n', name),
       json_build_array(json_build_object('name', name, 'description', 'Says something.', 'parameters', json_build_object('type', 'object', 'properties', '{}'::json)))::text,
       '{"description": "An example", "manifest": {}}', 1718500000 + n, 1718500000 + n, CASE WHEN n = 1 THEN '{"priority": 0}' END
FROM unnest(ARRAY['clock', 'dice']) WITH ORDINALITY AS t (name, n);

INSERT INTO function (id, user_id, name, type, content, meta, created_at, updated_at, valves, is_active, is_global)
SELECT name, pg_temp.id('user 1'), initcap(name), pg_temp.pick(n, 'filter', 'pipe'), E'class Filter:\n    def inlet(self, body):\n        return body\n',
       '{"description": "An example", "manifest": {}}', 1719480000 + n, 1719480000 + n, CASE WHEN n = 1 THEN '{}' END, n < 3, n = 2
FROM unnest(ARRAY['echo', 'polite', 'counter']) WITH ORDINALITY AS t (name, n);

INSERT INTO file (id, user_id, filename, meta, created_at)
SELECT pg_temp.id('file ' || n), pg_temp.id('user ' || (1 + n % 3)), pg_temp.id('file ' || n) || '_notes-' || n || '.txt',
       json_build_object('name', 'notes-' || n || '.txt', 'content_type', 'text/plain', 'size', 100 * n,
                         'path', '/app/backend/data/uploads/' || pg_temp.id('file ' || n) || '_notes-' || n || '.txt')::text,
       1719481000 + n * 60
FROM generate_series(1, 8) n;
