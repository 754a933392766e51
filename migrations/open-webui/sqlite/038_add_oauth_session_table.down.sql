-- Drops the table of sessions with OAuth providers.

DROP TABLE oauth_session;
