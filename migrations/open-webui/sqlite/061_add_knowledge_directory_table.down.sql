-- Drops the table of directories in knowledge. The files lie outside again.
--
-- SQLite drops no column that has a foreign key, so knowledge_file is built anew.

CREATE TABLE knowledge_file_new (
    id           TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    knowledge_id TEXT NOT NULL,
    file_id      TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_knowledge_file_knowledge_file UNIQUE (knowledge_id, file_id),
    FOREIGN KEY (knowledge_id) REFERENCES knowledge (id) ON DELETE CASCADE,
    FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE CASCADE
);

INSERT INTO knowledge_file_new (id, user_id, knowledge_id, file_id, created_at, updated_at)
SELECT id, user_id, knowledge_id, file_id, created_at, updated_at
FROM knowledge_file ORDER BY rowid;

DROP TABLE knowledge_file;
ALTER TABLE knowledge_file_new RENAME TO knowledge_file;
CREATE INDEX ix_knowledge_file_user_id ON knowledge_file (user_id);
CREATE INDEX ix_knowledge_file_knowledge_id ON knowledge_file (knowledge_id);
CREATE INDEX ix_knowledge_file_file_id ON knowledge_file (file_id);

DROP TABLE knowledge_directory;
