-- Creates the table of the files that were attached to chats. Its rows go with
-- their chat and their file.

CREATE TABLE chat_file (
    id         text NOT NULL,
    user_id    text NOT NULL,
    chat_id    text NOT NULL,
    file_id    text NOT NULL,
    message_id text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT chat_file_pkey PRIMARY KEY (id),
    CONSTRAINT uq_chat_file_chat_file UNIQUE (chat_id, file_id),
    CONSTRAINT chat_file_chat_id_fkey FOREIGN KEY (chat_id)
        REFERENCES chat (id) ON DELETE CASCADE,
    CONSTRAINT chat_file_file_id_fkey FOREIGN KEY (file_id)
        REFERENCES file (id) ON DELETE CASCADE
);
CREATE INDEX ix_chat_file_chat_id ON chat_file (chat_id);
CREATE INDEX ix_chat_file_file_id ON chat_file (file_id);
CREATE INDEX ix_chat_file_message_id ON chat_file (message_id);
CREATE INDEX ix_chat_file_user_id ON chat_file (user_id);
