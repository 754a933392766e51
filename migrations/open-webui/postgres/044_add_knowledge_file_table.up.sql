-- Creates the table of the files of knowledge and moves the files there, from a
-- list in each knowledge. Those that do not exist any more are left behind.
--
-- The list is JSON as Python writes it, and may be in a JSON string; each file
-- gets a random id. Hence the Go step.

CREATE TABLE knowledge_file (
    id           text NOT NULL,
    user_id      text NOT NULL,
    knowledge_id text NOT NULL,
    file_id      text NOT NULL,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    CONSTRAINT knowledge_file_pkey PRIMARY KEY (id),
    CONSTRAINT uq_knowledge_file_knowledge_file UNIQUE (knowledge_id, file_id),
    CONSTRAINT knowledge_file_file_id_fkey FOREIGN KEY (file_id)
        REFERENCES file (id) ON DELETE CASCADE,
    CONSTRAINT knowledge_file_knowledge_id_fkey FOREIGN KEY (knowledge_id)
        REFERENCES knowledge (id) ON DELETE CASCADE
);

-- schemagate:step knowledge_files

CREATE INDEX ix_knowledge_file_file_id ON knowledge_file (file_id);
CREATE INDEX ix_knowledge_file_knowledge_id ON knowledge_file (knowledge_id);
CREATE INDEX ix_knowledge_file_user_id ON knowledge_file (user_id);

ALTER TABLE knowledge DROP COLUMN data;
