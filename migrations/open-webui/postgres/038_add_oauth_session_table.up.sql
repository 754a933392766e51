-- Creates the table of sessions with OAuth providers. Those of a deleted user go
-- with the user.

CREATE TABLE oauth_session (
    id         text NOT NULL,
    user_id    text NOT NULL,
    provider   text NOT NULL,
    token      text NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT oauth_session_pkey PRIMARY KEY (id),
    CONSTRAINT oauth_session_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES "user" (id) ON DELETE CASCADE
);
CREATE INDEX idx_oauth_session_user_id ON oauth_session (user_id);
CREATE INDEX idx_oauth_session_expires_at ON oauth_session (expires_at);
CREATE INDEX idx_oauth_session_user_provider ON oauth_session (user_id, provider);
