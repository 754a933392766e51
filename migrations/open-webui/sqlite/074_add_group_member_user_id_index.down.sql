-- Drops the index by which the groups of a user are found.

DROP INDEX ix_group_member_user_id_group_id;
