-- Adds whether a channel is private, who archived, deleted and changed it, and
-- the roles and invitations of its members, and creates the table of webhooks.

ALTER TABLE channel
    ADD COLUMN is_private boolean,
    ADD COLUMN archived_at bigint,
    ADD COLUMN archived_by text,
    ADD COLUMN deleted_at bigint,
    ADD COLUMN deleted_by text,
    ADD COLUMN updated_by text;

ALTER TABLE channel_member
    ADD COLUMN role text,
    ADD COLUMN invited_by text,
    ADD COLUMN invited_at bigint;

CREATE TABLE channel_webhook (
    id                text NOT NULL,
    user_id           text NOT NULL,
    channel_id        text NOT NULL,
    name              text NOT NULL,
    profile_image_url text,
    token             text NOT NULL,
    last_used_at      bigint,
    created_at        bigint NOT NULL,
    updated_at        bigint NOT NULL,
    CONSTRAINT channel_webhook_pkey PRIMARY KEY (id),
    CONSTRAINT channel_webhook_channel_id_fkey FOREIGN KEY (channel_id)
        REFERENCES channel (id) ON DELETE CASCADE
);
