-- Creates the table of knowledge and copies the documents to it.
--
-- The tags of a document are in its content, which holds JSON as text as Python
-- writes it, and that is more than PostgreSQL reads: NaN, half surrogates, a zero
-- character. Hence the Go step.

CREATE TABLE knowledge (
    id          text NOT NULL,
    user_id     text NOT NULL,
    name        text NOT NULL,
    description text,
    data        json,
    meta        json,
    created_at  bigint NOT NULL,
    updated_at  bigint,
    CONSTRAINT knowledge_pkey PRIMARY KEY (id)
);

-- schemagate:step documents_to_knowledge
