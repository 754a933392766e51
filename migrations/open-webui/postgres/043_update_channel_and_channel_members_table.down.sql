-- Drops the table of webhooks, whether a channel is private, who archived,
-- deleted and changed it, and the roles and invitations of its members.

DROP TABLE channel_webhook;

ALTER TABLE channel_member
    DROP COLUMN invited_at,
    DROP COLUMN invited_by,
    DROP COLUMN role;

ALTER TABLE channel
    DROP COLUMN updated_by,
    DROP COLUMN deleted_by,
    DROP COLUMN deleted_at,
    DROP COLUMN archived_by,
    DROP COLUMN archived_at,
    DROP COLUMN is_private;
