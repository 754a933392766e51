-- Removes the state of the members of channels, and pins of messages.

ALTER TABLE message
    DROP COLUMN pinned_by,
    DROP COLUMN pinned_at,
    DROP COLUMN is_pinned;

ALTER TABLE channel_member
    DROP COLUMN updated_at,
    DROP COLUMN last_read_at,
    DROP COLUMN left_at,
    DROP COLUMN joined_at,
    DROP COLUMN meta,
    DROP COLUMN data,
    DROP COLUMN is_channel_pinned,
    DROP COLUMN is_channel_muted,
    DROP COLUMN is_active,
    DROP COLUMN status;
