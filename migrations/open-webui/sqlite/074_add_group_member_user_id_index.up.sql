-- Lets the groups of a user be found by an index.

CREATE INDEX ix_group_member_user_id_group_id ON group_member (user_id, group_id);
