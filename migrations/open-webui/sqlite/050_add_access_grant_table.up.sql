-- Creates a table of grants, fills it from access_control of seven tables, and drops
-- that column there.
--
-- access_control holds JSON as Python reads it, and that is more than SQLite reads.
-- Hence the Go step.

CREATE TABLE access_grant (
    id             TEXT NOT NULL,
    resource_type  TEXT NOT NULL,
    resource_id    TEXT NOT NULL,
    principal_type TEXT NOT NULL,
    principal_id   TEXT NOT NULL,
    permission     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (id),
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

-- The application's own tools build these tables anew, which leaves the definitions
-- of their indexes without quotes.
DROP INDEX ix_prompt_new_command;
DROP INDEX tool_id;
DROP INDEX model_id;
CREATE UNIQUE INDEX ix_prompt_new_command ON prompt (command);
CREATE UNIQUE INDEX tool_id ON tool (id);
CREATE UNIQUE INDEX model_id ON model (id);
