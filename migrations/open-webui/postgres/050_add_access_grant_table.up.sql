-- Creates a table of grants, fills it from access_control of seven tables, and drops
-- that column there.
--
-- access_control holds JSON as Python reads it, which on PostgreSQL may be a text
-- that holds JSON once more. Hence the Go step.

CREATE TABLE access_grant (
    id             text NOT NULL,
    resource_type  text NOT NULL,
    resource_id    text NOT NULL,
    principal_type text NOT NULL,
    principal_id   text NOT NULL,
    permission     text NOT NULL,
    created_at     bigint NOT NULL,
    CONSTRAINT access_grant_pkey PRIMARY KEY (id),
    CONSTRAINT uq_access_grant_grant
        UNIQUE (resource_type, resource_id, principal_type, principal_id, permission)
);
CREATE INDEX idx_access_grant_resource ON access_grant (resource_type, resource_id);
CREATE INDEX idx_access_grant_principal ON access_grant (principal_type, principal_id);

-- schemagate:step access_grants

ALTER TABLE knowledge DROP COLUMN access_control;
ALTER TABLE prompt DROP COLUMN access_control;
ALTER TABLE tool DROP COLUMN access_control;
ALTER TABLE model DROP COLUMN access_control;
ALTER TABLE note DROP COLUMN access_control;
ALTER TABLE channel DROP COLUMN access_control;
ALTER TABLE file DROP COLUMN access_control;
