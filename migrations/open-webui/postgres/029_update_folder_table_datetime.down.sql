-- Makes times in UTC of the seconds that folders have, whatever time zone the
-- session is in.

ALTER TABLE folder
    ALTER COLUMN created_at TYPE timestamp USING to_timestamp(created_at) AT TIME ZONE 'UTC',
    ALTER COLUMN updated_at TYPE timestamp USING to_timestamp(updated_at) AT TIME ZONE 'UTC',
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN updated_at SET DEFAULT now();
