-- Builds prompt as it was, with the command as its key and a slash before it, and
-- drops the history.

ALTER TABLE prompt RENAME TO prompt_new;

CREATE TABLE prompt (
    command        VARCHAR NOT NULL,
    user_id        VARCHAR,
    title          TEXT,
    content        TEXT,
    "timestamp"    BIGINT,
    access_control JSON,
    PRIMARY KEY (command)
);

-- A command may be missing by now; no other column has a value for it but the id.
INSERT INTO prompt (command, user_id, title, content, "timestamp", access_control)
SELECT '/' || coalesce(command, id), user_id, name, content, updated_at, access_control
FROM prompt_new
ORDER BY created_at, command;

DROP TABLE prompt_history;
DROP TABLE prompt_new;
