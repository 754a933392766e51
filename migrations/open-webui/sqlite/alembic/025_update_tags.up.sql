-- Lets several users have a tag with the same id: the key is now the id and the
-- owner together.
--
-- SQLite changes no key of a table that exists, so the table is built anew.

CREATE TABLE tag_new (
    id      VARCHAR NOT NULL,
    name    VARCHAR,
    user_id VARCHAR,
    meta    JSON,
    CONSTRAINT pk_id_user_id PRIMARY KEY (id, user_id)
);

INSERT INTO tag_new (id, name, user_id, meta)
SELECT id, name, user_id, meta
FROM tag ORDER BY rowid;

DROP TABLE tag;
ALTER TABLE tag_new RENAME TO tag;
