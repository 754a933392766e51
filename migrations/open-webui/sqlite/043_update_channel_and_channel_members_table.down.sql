-- Drops the table of webhooks, whether a channel is private, who archived,
-- deleted and changed it, and the roles and invitations of its members.

DROP TABLE channel_webhook;

ALTER TABLE channel_member DROP COLUMN invited_at;
ALTER TABLE channel_member DROP COLUMN invited_by;
ALTER TABLE channel_member DROP COLUMN role;

ALTER TABLE channel DROP COLUMN updated_by;
ALTER TABLE channel DROP COLUMN deleted_by;
ALTER TABLE channel DROP COLUMN deleted_at;
ALTER TABLE channel DROP COLUMN archived_by;
ALTER TABLE channel DROP COLUMN archived_at;
ALTER TABLE channel DROP COLUMN is_private;
