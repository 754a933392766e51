-- Lets several users have a tag with the same id: the key is now the id and the
-- owner together, and so every tag has an owner.

ALTER TABLE tag
    DROP CONSTRAINT tag_pkey,
    DROP CONSTRAINT uq_id_user_id,
    ADD CONSTRAINT pk_id_user_id PRIMARY KEY (id, user_id);
