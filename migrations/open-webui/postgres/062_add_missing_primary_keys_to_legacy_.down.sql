-- Drops the primary keys of nine tables. The unique indexes on the same columns
-- have stayed.
--
-- Foreign keys may lean on either. In a database that a dump was restored into they
-- lean on the primary keys, so those that do are dropped and added again.

DO $$
DECLARE
    drops     text[];
    additions text[];
    command   text;
BEGIN
    SELECT
        array_agg(format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)),
        array_agg(format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)))
    INTO drops, additions
    FROM pg_constraint
    WHERE contype = 'f' AND conindid::regclass = ANY (ARRAY[
        'pk_user', 'pk_tool', 'pk_model', 'pk_memory', 'pk_function', 'pk_file',
        'pk_chatidtag', 'pk_chat', 'pk_auth'
    ]::regclass[]);

    FOREACH command IN ARRAY coalesce(drops, '{}') LOOP
        EXECUTE command;
    END LOOP;

    ALTER TABLE "user" DROP CONSTRAINT pk_user;
    ALTER TABLE tool DROP CONSTRAINT pk_tool;
    ALTER TABLE model DROP CONSTRAINT pk_model;
    ALTER TABLE memory DROP CONSTRAINT pk_memory;
    ALTER TABLE "function" DROP CONSTRAINT pk_function;
    ALTER TABLE file DROP CONSTRAINT pk_file;
    ALTER TABLE chatidtag DROP CONSTRAINT pk_chatidtag;
    ALTER TABLE chat DROP CONSTRAINT pk_chat;
    ALTER TABLE auth DROP CONSTRAINT pk_auth;

    FOREACH command IN ARRAY coalesce(additions, '{}') LOOP
        EXECUTE command;
    END LOOP;
END
$$;
