-- Creates a table of messages and fills it from the documents of the chats, which
-- keep theirs.
--
-- The documents hold JSON as Python reads it: texts that hold JSON once more,
-- numbers as times in several spellings, names in an order that matters. Hence
-- the Go step. Keys and indexes come after it, because building them over all rows
-- at once is faster than keeping them up to date row by row.

CREATE TABLE chat_message (
    id             text NOT NULL,
    chat_id        text NOT NULL,
    user_id        text,
    role           text NOT NULL,
    parent_id      text,
    content        json,
    output         json,
    model_id       text,
    files          json,
    sources        json,
    embeds         json,
    done           boolean,
    status_history json,
    error          json,
    usage          json,
    created_at     bigint,
    updated_at     bigint
);

-- schemagate:step chat_messages

ALTER TABLE chat_message
    ADD CONSTRAINT chat_message_pkey PRIMARY KEY (id),
    ADD CONSTRAINT chat_message_chat_id_fkey FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE;
CREATE INDEX ix_chat_message_chat_id ON chat_message (chat_id);
CREATE INDEX ix_chat_message_user_id ON chat_message (user_id);
CREATE INDEX ix_chat_message_model_id ON chat_message (model_id);
CREATE INDEX ix_chat_message_created_at ON chat_message (created_at);
CREATE INDEX chat_message_chat_parent_idx ON chat_message (chat_id, parent_id);
CREATE INDEX chat_message_model_created_idx ON chat_message (model_id, created_at);
CREATE INDEX chat_message_user_created_idx ON chat_message (user_id, created_at);
