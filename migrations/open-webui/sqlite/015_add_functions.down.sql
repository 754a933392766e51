-- Drops the table of functions.

DROP TABLE "function";
