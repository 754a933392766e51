-- Drops the table of groups, who may use models, knowledge, prompts and tools,
-- and whether a model is active.

ALTER TABLE tool DROP COLUMN access_control;
ALTER TABLE prompt DROP COLUMN access_control;
ALTER TABLE knowledge DROP COLUMN access_control;
ALTER TABLE model DROP COLUMN is_active;
ALTER TABLE model DROP COLUMN access_control;
DROP TABLE "group";
