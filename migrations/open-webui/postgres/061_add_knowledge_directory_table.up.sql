-- Creates the table of directories in knowledge, and adds in which one a file
-- lies. Files that exist lie outside all of them.

CREATE TABLE knowledge_directory (
    id           text NOT NULL,
    knowledge_id text NOT NULL,
    parent_id    text,
    name         text NOT NULL,
    user_id      text NOT NULL,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    CONSTRAINT knowledge_directory_pkey PRIMARY KEY (id),
    CONSTRAINT uq_knowledge_directory_knowledge_parent_name UNIQUE (knowledge_id, parent_id, name),
    CONSTRAINT knowledge_directory_knowledge_id_fkey
        FOREIGN KEY (knowledge_id) REFERENCES knowledge (id) ON DELETE CASCADE,
    CONSTRAINT knowledge_directory_parent_id_fkey
        FOREIGN KEY (parent_id) REFERENCES knowledge_directory (id) ON DELETE CASCADE
);
CREATE INDEX ix_knowledge_directory_knowledge_id ON knowledge_directory (knowledge_id);
CREATE INDEX ix_knowledge_directory_parent_id ON knowledge_directory (parent_id);

ALTER TABLE knowledge_file
    ADD COLUMN directory_id text,
    ADD CONSTRAINT fk_knowledge_file_directory_id
        FOREIGN KEY (directory_id) REFERENCES knowledge_directory (id) ON DELETE SET NULL;
CREATE INDEX ix_knowledge_file_directory_id ON knowledge_file (directory_id);
