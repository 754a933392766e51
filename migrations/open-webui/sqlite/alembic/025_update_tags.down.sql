-- Makes the id of a tag the key again.
--
-- Of several users' tags with one id only one can stay: that of the first owner,
-- and one without an owner, which SQLite lets pass as often as it comes, only if
-- there is no other. SQLite changes no key of a table that exists, so the table
-- is built anew.

CREATE TABLE tag_new (
    id      VARCHAR NOT NULL,
    name    VARCHAR,
    user_id VARCHAR,
    meta    JSON,
    PRIMARY KEY (id),
    CONSTRAINT uq_id_user_id UNIQUE (id, user_id)
);

INSERT INTO tag_new (id, name, user_id, meta)
SELECT id, name, user_id, meta
FROM (
    SELECT id, name, user_id, meta, rowid AS place,
        row_number() OVER (PARTITION BY id ORDER BY user_id IS NULL, user_id, rowid) AS number
    FROM tag
)
WHERE number = 1 ORDER BY place;

DROP TABLE tag;
ALTER TABLE tag_new RENAME TO tag;
