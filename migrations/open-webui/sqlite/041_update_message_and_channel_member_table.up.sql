-- Adds the state of the members of channels, and pins to messages.
--
-- joined_at has no default, so this fails if there are members. A check refuses
-- them before.

ALTER TABLE channel_member ADD COLUMN status TEXT;
ALTER TABLE channel_member ADD COLUMN is_active BOOLEAN DEFAULT 1 NOT NULL;
ALTER TABLE channel_member ADD COLUMN is_channel_muted BOOLEAN DEFAULT 0 NOT NULL;
ALTER TABLE channel_member ADD COLUMN is_channel_pinned BOOLEAN DEFAULT 0 NOT NULL;
ALTER TABLE channel_member ADD COLUMN data JSON;
ALTER TABLE channel_member ADD COLUMN meta JSON;
ALTER TABLE channel_member ADD COLUMN joined_at BIGINT NOT NULL;
ALTER TABLE channel_member ADD COLUMN left_at BIGINT;
ALTER TABLE channel_member ADD COLUMN last_read_at BIGINT;
ALTER TABLE channel_member ADD COLUMN updated_at BIGINT;

ALTER TABLE message ADD COLUMN is_pinned BOOLEAN DEFAULT 0 NOT NULL;
ALTER TABLE message ADD COLUMN pinned_at BIGINT;
ALTER TABLE message ADD COLUMN pinned_by TEXT;
