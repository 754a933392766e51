-- Makes seconds since 1970 of the times of folders, which are in UTC. Fractions
-- are rounded. The defaults do not stay.

ALTER TABLE folder
    ALTER COLUMN created_at DROP DEFAULT,
    ALTER COLUMN updated_at DROP DEFAULT,
    ALTER COLUMN created_at TYPE bigint USING extract(epoch FROM created_at)::bigint,
    ALTER COLUMN updated_at TYPE bigint USING extract(epoch FROM updated_at)::bigint;
