-- Builds prompt as it was, with new integer ids in the order of creation and a
-- slash before every command, and drops the history.

ALTER TABLE prompt RENAME TO prompt_new;

CREATE TABLE prompt (
    id             INTEGER NOT NULL PRIMARY KEY,
    command        VARCHAR(255) NOT NULL,
    user_id        VARCHAR(255) NOT NULL,
    title          TEXT NOT NULL,
    content        TEXT NOT NULL,
    "timestamp"    INTEGER NOT NULL,
    access_control JSON
);

-- A command may be missing by now; no other column has a value for it but the id.
INSERT INTO prompt (command, user_id, title, content, "timestamp", access_control)
SELECT '/' || coalesce(command, id), user_id, name, content, updated_at, access_control
FROM prompt_new
ORDER BY created_at, command;

DROP TABLE prompt_history;
DROP TABLE prompt_new;
CREATE UNIQUE INDEX "prompt_command" ON "prompt" ("command");
