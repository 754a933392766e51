-- Removes whether a function is global.

ALTER TABLE "function" DROP COLUMN is_global;
