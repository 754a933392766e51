-- Copies the tags of a chat from chatidtag into the chat, where the tag "pinned"
-- becomes a property of its own, and names the tags by their names: in lower case,
-- with underscores for blanks.
--
-- Lower case is Python's, while SQLite knows ASCII only, hence the Go steps.

ALTER TABLE chat ADD COLUMN pinned BOOLEAN;
ALTER TABLE chat ADD COLUMN meta JSON DEFAULT '{}' NOT NULL;

-- schemagate:step chat_tags

CREATE TEMP TABLE schemagate_tag_ids (
    position INTEGER NOT NULL PRIMARY KEY,
    old_id   TEXT NOT NULL UNIQUE,
    new_id   TEXT NOT NULL
);

-- schemagate:step tag_ids

CREATE TABLE tag_new (
    id      VARCHAR(255) NOT NULL,
    name    VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    meta    JSON,
    CONSTRAINT uq_id_user_id UNIQUE (id, user_id)
);

-- The application goes through the tags one by one, and removes those whose new id
-- another one has at that moment. So of several with one name the first stays that
-- comes after the tag whose old id it is, if there is one.
INSERT INTO tag_new (id, name, user_id)
SELECT k.new_id, tag.name, tag.user_id
FROM (
    SELECT min(t.position) AS position, t.old_id, t.new_id
    FROM schemagate_tag_ids AS t
    LEFT JOIN schemagate_tag_ids AS holder ON holder.old_id = t.new_id
    WHERE t.new_id <> 'pinned' AND (holder.position IS NULL OR holder.position < t.position)
    GROUP BY t.new_id
) AS k
JOIN tag ON tag.id = k.old_id
ORDER BY k.position;

DROP TABLE schemagate_tag_ids;
DROP TABLE tag;
ALTER TABLE tag_new RENAME TO tag;
CREATE UNIQUE INDEX tag_id ON tag (id);
