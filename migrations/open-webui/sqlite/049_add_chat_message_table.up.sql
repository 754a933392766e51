-- Creates a table of messages and fills it from the documents of the chats, which
-- keep theirs.
--
-- The documents hold JSON as Python reads it: texts that hold JSON once more,
-- numbers as times in several spellings, names in an order that matters. Hence
-- the Go step. The indexes come after it, because building them over all rows at
-- once is faster than keeping them up to date row by row.

CREATE TABLE chat_message (
    id             TEXT NOT NULL,
    chat_id        TEXT NOT NULL,
    user_id        TEXT,
    role           TEXT NOT NULL,
    parent_id      TEXT,
    content        JSON,
    output         JSON,
    model_id       TEXT,
    files          JSON,
    sources        JSON,
    embeds         JSON,
    done           BOOLEAN,
    status_history JSON,
    error          JSON,
    usage          JSON,
    created_at     BIGINT,
    updated_at     BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE
);

-- schemagate:step chat_messages

CREATE INDEX ix_chat_message_chat_id ON chat_message (chat_id);
CREATE INDEX ix_chat_message_user_id ON chat_message (user_id);
CREATE INDEX ix_chat_message_model_id ON chat_message (model_id);
CREATE INDEX ix_chat_message_created_at ON chat_message (created_at);
CREATE INDEX chat_message_chat_parent_idx ON chat_message (chat_id, parent_id);
CREATE INDEX chat_message_model_created_idx ON chat_message (model_id, created_at);
CREATE INDEX chat_message_user_created_idx ON chat_message (user_id, created_at);
