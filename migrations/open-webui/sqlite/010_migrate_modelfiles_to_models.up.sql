-- Turns model files into models and drops their table. Reading a model file takes
-- a parser, hence the Go step.

-- schemagate:step modelfiles_to_models

DROP TABLE modelfile;
