-- Lets several users have a tag with the same id: the key is now the id and the
-- owner together.

ALTER TABLE tag DROP CONSTRAINT uq_id_user_id;
DROP INDEX tag_id;
ALTER TABLE tag ADD CONSTRAINT pk_id_user_id PRIMARY KEY (id, user_id);
