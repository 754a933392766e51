-- Makes access_control of seven tables from the grants and drops those.
--
-- Readable for everybody is NULL, and no grant at all is an empty object; but a
-- file without grants has NULL, which means private there. So a file that
-- everybody may read becomes private: there is no word for it.

CREATE TABLE access_control_old AS
SELECT resource_type, resource_id,
    CASE WHEN NOT bool_or(principal_type = 'user' AND principal_id = '*' AND permission = 'read')
        THEN json_build_object(
            'read', json_build_object(
                'group_ids', coalesce(json_agg(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'read' AND principal_type = 'group'), '[]'),
                'user_ids', coalesce(json_agg(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'read' AND principal_type = 'user'), '[]')
            ),
            'write', json_build_object(
                'group_ids', coalesce(json_agg(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'write' AND principal_type = 'group'), '[]'),
                'user_ids', coalesce(json_agg(principal_id ORDER BY principal_id)
                    FILTER (WHERE permission = 'write' AND principal_type = 'user'), '[]')
            )
        )
    END AS access_control
FROM access_grant
GROUP BY resource_type, resource_id;

-- The default gives all rows the empty object without writing any.
ALTER TABLE file ADD COLUMN access_control json;
ALTER TABLE channel ADD COLUMN access_control json DEFAULT '{}';
ALTER TABLE note ADD COLUMN access_control json DEFAULT '{}';
ALTER TABLE model ADD COLUMN access_control json DEFAULT '{}';
ALTER TABLE tool ADD COLUMN access_control json DEFAULT '{}';
ALTER TABLE prompt ADD COLUMN access_control json DEFAULT '{}';
ALTER TABLE knowledge ADD COLUMN access_control json DEFAULT '{}';
ALTER TABLE channel ALTER COLUMN access_control DROP DEFAULT;
ALTER TABLE note ALTER COLUMN access_control DROP DEFAULT;
ALTER TABLE model ALTER COLUMN access_control DROP DEFAULT;
ALTER TABLE tool ALTER COLUMN access_control DROP DEFAULT;
ALTER TABLE prompt ALTER COLUMN access_control DROP DEFAULT;
ALTER TABLE knowledge ALTER COLUMN access_control DROP DEFAULT;

UPDATE file AS r SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'file' AND old.resource_id = r.id;

UPDATE channel AS r SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'channel' AND old.resource_id = r.id;

UPDATE note AS r SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'note' AND old.resource_id = r.id;

UPDATE model AS r SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'model' AND old.resource_id = r.id;

UPDATE tool AS r SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'tool' AND old.resource_id = r.id;

UPDATE prompt AS r SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'prompt' AND old.resource_id = r.id;

UPDATE knowledge AS r SET access_control = old.access_control
FROM access_control_old AS old
WHERE old.resource_type = 'knowledge' AND old.resource_id = r.id;

DROP TABLE access_control_old;
DROP TABLE access_grant;
