-- Adds the state of the members of channels, and pins to messages.
--
-- joined_at has no default, so this fails if there are members. A check refuses
-- them before.

ALTER TABLE channel_member
    ADD COLUMN status text,
    ADD COLUMN is_active boolean DEFAULT true NOT NULL,
    ADD COLUMN is_channel_muted boolean DEFAULT false NOT NULL,
    ADD COLUMN is_channel_pinned boolean DEFAULT false NOT NULL,
    ADD COLUMN data json,
    ADD COLUMN meta json,
    ADD COLUMN joined_at bigint NOT NULL,
    ADD COLUMN left_at bigint,
    ADD COLUMN last_read_at bigint,
    ADD COLUMN updated_at bigint;

ALTER TABLE message
    ADD COLUMN is_pinned boolean DEFAULT false NOT NULL,
    ADD COLUMN pinned_at bigint,
    ADD COLUMN pinned_by text;
