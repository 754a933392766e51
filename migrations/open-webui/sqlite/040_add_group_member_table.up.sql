-- Creates the table of the members of groups and moves the members there, from a
-- list in each group.
--
-- The list is JSON as Python writes it, and may be in a JSON string; each member
-- gets a random id. Hence the Go step.

CREATE TABLE group_member (
    id         TEXT NOT NULL,
    group_id   TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    created_at BIGINT,
    updated_at BIGINT,
    PRIMARY KEY (id),
    CONSTRAINT uq_group_member_group_user UNIQUE (group_id, user_id),
    UNIQUE (id),
    FOREIGN KEY (group_id) REFERENCES "group" (id) ON DELETE CASCADE,
    FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE
);

-- schemagate:step group_members

ALTER TABLE "group" DROP COLUMN user_ids;
