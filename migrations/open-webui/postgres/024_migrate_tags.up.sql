-- Copies the tags of a chat from chatidtag into the chat, where the tag "pinned"
-- becomes a property of its own, and names the tags by their names: in lower case,
-- with underscores for blanks.
--
-- Lower case is Python's, which knows more than most collations, hence the Go
-- steps.

ALTER TABLE chat
    ADD COLUMN pinned boolean,
    ADD COLUMN meta json DEFAULT '{}' NOT NULL;

-- schemagate:step chat_tags

CREATE TEMP TABLE schemagate_tag_ids (
    position bigint NOT NULL,
    old_id   text NOT NULL,
    new_id   text NOT NULL
) ON COMMIT DROP;

-- schemagate:step tag_ids

-- The application goes through the tags one by one, and removes those whose new id
-- another one has at that moment. So of several with one name the first stays that
-- comes after the tag whose old id it is, if there is one.
CREATE TEMP TABLE schemagate_tags_kept ON COMMIT DROP AS
SELECT DISTINCT ON (t.new_id) t.position, t.old_id, t.new_id
FROM schemagate_tag_ids AS t
LEFT JOIN schemagate_tag_ids AS holder ON holder.old_id = t.new_id
WHERE t.new_id <> 'pinned' AND (holder.position IS NULL OR holder.position < t.position)
ORDER BY t.new_id, t.position;

DELETE FROM tag AS t
WHERE NOT EXISTS (SELECT FROM schemagate_tags_kept AS k WHERE k.old_id = t.id);

-- In two parts, because a new id may be the old one of a tag that gets another,
-- and an UPDATE goes through the rows in any order.
UPDATE tag AS t SET id = chr(1) || k.position
FROM schemagate_tags_kept AS k WHERE k.old_id = t.id;
UPDATE tag AS t SET id = k.new_id
FROM schemagate_tags_kept AS k WHERE chr(1) || k.position = t.id;

DROP TABLE schemagate_tags_kept;
DROP TABLE schemagate_tag_ids;

ALTER TABLE tag
    DROP COLUMN data,
    ADD COLUMN meta json,
    ADD CONSTRAINT uq_id_user_id UNIQUE (id, user_id);
