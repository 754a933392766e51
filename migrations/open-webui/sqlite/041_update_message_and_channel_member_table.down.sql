-- Removes the state of the members of channels, and pins of messages.

ALTER TABLE message DROP COLUMN pinned_by;
ALTER TABLE message DROP COLUMN pinned_at;
ALTER TABLE message DROP COLUMN is_pinned;

ALTER TABLE channel_member DROP COLUMN updated_at;
ALTER TABLE channel_member DROP COLUMN last_read_at;
ALTER TABLE channel_member DROP COLUMN left_at;
ALTER TABLE channel_member DROP COLUMN joined_at;
ALTER TABLE channel_member DROP COLUMN meta;
ALTER TABLE channel_member DROP COLUMN data;
ALTER TABLE channel_member DROP COLUMN is_channel_pinned;
ALTER TABLE channel_member DROP COLUMN is_channel_muted;
ALTER TABLE channel_member DROP COLUMN is_active;
ALTER TABLE channel_member DROP COLUMN status;
