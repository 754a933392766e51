-- Removes the tags of chats from the chats, and what was added to tags. The tags
-- that chats had before are in chatidtag still.
--
-- The ids of tags become random again: the way up removes a tag that has its name
-- for an id.

ALTER TABLE tag
    DROP CONSTRAINT uq_id_user_id,
    DROP COLUMN meta,
    ADD COLUMN data text;

UPDATE tag SET id = gen_random_uuid();

ALTER TABLE chat
    DROP COLUMN meta,
    DROP COLUMN pinned;
