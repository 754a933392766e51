-- Moves the members of groups back into a list in each group. Those that were
-- moved from a list have one time, and are in its order.

ALTER TABLE "group" ADD COLUMN user_ids json;

UPDATE "group" AS g
SET user_ids = coalesce((
    SELECT json_agg(m.user_id ORDER BY m.created_at, m.ctid)
    FROM group_member AS m
    WHERE m.group_id = g.id
), '[]');

DROP TABLE group_member;
