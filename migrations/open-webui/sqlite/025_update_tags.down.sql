-- Makes the id of a tag unique again.
--
-- Of several users' tags with one id only one can stay: that of the first owner.
-- SQLite changes no key of a table that exists, so the table is built anew.

CREATE TABLE tag_new (
    id      VARCHAR(255) NOT NULL,
    name    VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    meta    JSON,
    CONSTRAINT uq_id_user_id UNIQUE (id, user_id)
);

INSERT INTO tag_new (id, name, user_id, meta)
SELECT id, name, user_id, meta
FROM (
    SELECT id, name, user_id, meta, rowid AS place,
        row_number() OVER (PARTITION BY id ORDER BY user_id) AS number
    FROM tag
)
WHERE number = 1 ORDER BY place;

DROP TABLE tag;
ALTER TABLE tag_new RENAME TO tag;
CREATE UNIQUE INDEX tag_id ON tag (id);
