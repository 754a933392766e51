-- Removes the tags of chats from the chats, and what was added to tags. The tags
-- that chats had before are in chatidtag still.
--
-- The ids of tags become random again: the way up removes a tag that has its name
-- for an id.

CREATE TABLE tag_new (
    id      VARCHAR NOT NULL,
    name    VARCHAR,
    user_id VARCHAR,
    data    TEXT,
    PRIMARY KEY (id)
);

INSERT INTO tag_new (id, name, user_id)
SELECT lower(hex(randomblob(16))), name, user_id
FROM tag ORDER BY rowid;

DROP TABLE tag;
ALTER TABLE tag_new RENAME TO tag;

ALTER TABLE chat DROP COLUMN meta;
ALTER TABLE chat DROP COLUMN pinned;
