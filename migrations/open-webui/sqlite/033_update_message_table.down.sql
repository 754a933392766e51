-- Drops the tables of reactions to messages and of the members of channels, the
-- kind of a channel and the thread of a message.

DROP TABLE channel_member;
DROP TABLE message_reaction;
ALTER TABLE message DROP COLUMN parent_id;
ALTER TABLE channel DROP COLUMN type;
