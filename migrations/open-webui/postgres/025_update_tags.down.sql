-- Makes the id of a tag unique again.
--
-- Of several users' tags with one id only one can stay: that of the first owner,
-- by the bytes of the owner's id, so that both engines keep the same one.

DELETE FROM tag
USING (SELECT id, min(user_id COLLATE "C") AS owner FROM tag GROUP BY id) AS kept
WHERE tag.id = kept.id AND tag.user_id <> kept.owner;

ALTER TABLE tag DROP CONSTRAINT pk_id_user_id;
ALTER TABLE tag ADD CONSTRAINT uq_id_user_id UNIQUE (id, user_id);
CREATE UNIQUE INDEX tag_id ON tag (id);
