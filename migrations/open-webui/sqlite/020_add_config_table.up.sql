-- Creates the table of settings.

CREATE TABLE config (
    id         INTEGER NOT NULL,
    data       JSON NOT NULL,
    version    INTEGER NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (id)
);
