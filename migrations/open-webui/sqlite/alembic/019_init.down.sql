-- Drops the twelve base tables.

DROP TABLE "user";
DROP TABLE tool;
DROP TABLE tag;
DROP TABLE prompt;
DROP TABLE model;
DROP TABLE memory;
DROP TABLE "function";
DROP TABLE file;
DROP TABLE document;
DROP TABLE chatidtag;
DROP TABLE chat;
DROP TABLE auth;
