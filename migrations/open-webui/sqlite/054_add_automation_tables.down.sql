-- Drops the tables of automations and of their runs.

DROP TABLE automation_run;
DROP TABLE automation;
