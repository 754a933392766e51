-- Creates the table of directories in knowledge, and adds in which one a file
-- lies. Files that exist lie outside all of them.
--
-- SQLite adds no named foreign key to a table, so knowledge_file is built anew.

CREATE TABLE knowledge_directory (
    id           TEXT NOT NULL,
    knowledge_id TEXT NOT NULL,
    parent_id    TEXT,
    name         TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_knowledge_directory_knowledge_parent_name UNIQUE (knowledge_id, parent_id, name),
    FOREIGN KEY (knowledge_id) REFERENCES knowledge (id) ON DELETE CASCADE,
    FOREIGN KEY (parent_id) REFERENCES knowledge_directory (id) ON DELETE CASCADE
);
CREATE INDEX ix_knowledge_directory_knowledge_id ON knowledge_directory (knowledge_id);
CREATE INDEX ix_knowledge_directory_parent_id ON knowledge_directory (parent_id);

CREATE TABLE knowledge_file_new (
    id           TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    knowledge_id TEXT NOT NULL,
    file_id      TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    directory_id TEXT,
    PRIMARY KEY (id),
    CONSTRAINT uq_knowledge_file_knowledge_file UNIQUE (knowledge_id, file_id),
    FOREIGN KEY (knowledge_id) REFERENCES knowledge (id) ON DELETE CASCADE,
    FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE CASCADE,
    CONSTRAINT fk_knowledge_file_directory_id
        FOREIGN KEY (directory_id) REFERENCES knowledge_directory (id) ON DELETE SET NULL
);

INSERT INTO knowledge_file_new (id, user_id, knowledge_id, file_id, created_at, updated_at)
SELECT id, user_id, knowledge_id, file_id, created_at, updated_at
FROM knowledge_file ORDER BY rowid;

DROP TABLE knowledge_file;
ALTER TABLE knowledge_file_new RENAME TO knowledge_file;
CREATE INDEX ix_knowledge_file_user_id ON knowledge_file (user_id);
CREATE INDEX ix_knowledge_file_knowledge_id ON knowledge_file (knowledge_id);
CREATE INDEX ix_knowledge_file_file_id ON knowledge_file (file_id);
CREATE INDEX ix_knowledge_file_directory_id ON knowledge_file (directory_id);
