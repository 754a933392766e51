-- Creates the table of knowledge and copies the documents to it.
--
-- The tags of a document are in its content, which holds JSON as text as Python
-- writes it, and that is more than SQLite reads, such as NaN. Hence the Go step.

CREATE TABLE knowledge (
    id          TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT,
    data        JSON,
    meta        JSON,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT,
    PRIMARY KEY (id)
);

-- schemagate:step documents_to_knowledge
