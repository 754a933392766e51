-- Builds prompt as it was, with the command as its key and a slash before it, and
-- drops the history.

ALTER TABLE prompt RENAME TO prompt_new;

CREATE TABLE prompt (
    command        varchar NOT NULL,
    user_id        varchar,
    title          text,
    content        text,
    "timestamp"    bigint,
    access_control json,
    CONSTRAINT prompt_pkey PRIMARY KEY (command)
);

-- A command may be missing by now; no other column has a value for it but the id.
INSERT INTO prompt (command, user_id, title, content, "timestamp", access_control)
SELECT '/' || coalesce(command, id), user_id, name, content, updated_at, access_control
FROM prompt_new
ORDER BY created_at, command;

DROP TABLE prompt_history;
DROP TABLE prompt_new;
