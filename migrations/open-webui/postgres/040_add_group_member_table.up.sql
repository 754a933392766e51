-- Creates the table of the members of groups and moves the members there, from a
-- list in each group.
--
-- The list is JSON as Python writes it, and may be in a JSON string; each member
-- gets a random id. Hence the Go step.

CREATE TABLE group_member (
    id         text NOT NULL,
    group_id   text NOT NULL,
    user_id    text NOT NULL,
    created_at bigint,
    updated_at bigint,
    CONSTRAINT group_member_pkey PRIMARY KEY (id),
    CONSTRAINT uq_group_member_group_user UNIQUE (group_id, user_id),
    CONSTRAINT group_member_group_id_fkey FOREIGN KEY (group_id)
        REFERENCES "group" (id) ON DELETE CASCADE,
    CONSTRAINT group_member_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES "user" (id) ON DELETE CASCADE
);

-- schemagate:step group_members

ALTER TABLE "group" DROP COLUMN user_ids;
