-- Drops the first eight tables. Their indexes and sequences go with them.

DROP TABLE "user";
DROP TABLE tag;
DROP TABLE prompt;
DROP TABLE modelfile;
DROP TABLE document;
DROP TABLE chatidtag;
DROP TABLE chat;
DROP TABLE auth;
