-- Removes the valves, and whether a function is active.

ALTER TABLE "function" DROP COLUMN is_active;
ALTER TABLE "function" DROP COLUMN valves;
ALTER TABLE tool DROP COLUMN valves;
