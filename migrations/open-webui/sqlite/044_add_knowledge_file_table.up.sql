-- Creates the table of the files of knowledge and moves the files there, from a
-- list in each knowledge. Those that do not exist any more are left behind.
--
-- The list is JSON as Python writes it, and may be in a JSON string; each file
-- gets a random id. Hence the Go step.

CREATE TABLE knowledge_file (
    id           TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    knowledge_id TEXT NOT NULL,
    file_id      TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE CASCADE,
    FOREIGN KEY (knowledge_id) REFERENCES knowledge (id) ON DELETE CASCADE,
    CONSTRAINT uq_knowledge_file_knowledge_file UNIQUE (knowledge_id, file_id)
);

-- schemagate:step knowledge_files

CREATE INDEX ix_knowledge_file_file_id ON knowledge_file (file_id);
CREATE INDEX ix_knowledge_file_knowledge_id ON knowledge_file (knowledge_id);
CREATE INDEX ix_knowledge_file_user_id ON knowledge_file (user_id);

ALTER TABLE knowledge DROP COLUMN data;
