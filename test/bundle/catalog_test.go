package bundle_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// tracking are the tables in which versions are kept. The application's own are
// recorded with its catalogs, but no revision creates them.
var tracking = []string{
	"alembic_version", "migratehistory", "schema_migrations", "schemagate_history", "schemagate_owner",
}

// snapshot is what a database consists of, one line for each thing, sorted.
//
// It is read here and not by the program's own reader, so that a mistake of that
// one cannot hide a mistake in the SQL files.
type snapshot struct {
	lines []string
	// order are the columns of each table in their order.
	order map[string][]string
}

func list(names []string) string { return strings.Join(names, ",") }

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// readCatalog reads what a database consists of, tracking left out. Constraints
// have no names on SQLite: there is no place to read them but the text of
// CREATE TABLE.
func readCatalog(ctx context.Context, q querier, dialect step.Dialect) (snapshot, error) {
	out := snapshot{order: map[string][]string{}}
	query, order := catalogPostgres, orderPostgres
	if dialect == step.SQLite {
		query, order = catalogSQLite, orderSQLite
	}
	names := "'" + strings.Join(tracking, "','") + "'"
	rows, err := readPairs(ctx, q, strings.ReplaceAll(query, "TRACKING", names))
	if err != nil {
		return snapshot{}, err
	}
	for _, row := range rows {
		out.lines = append(out.lines, row[1])
	}
	slices.Sort(out.lines)
	columns, err := readPairs(ctx, q, strings.ReplaceAll(order, "TRACKING", names))
	if err != nil {
		return snapshot{}, err
	}
	for _, row := range columns {
		out.order[row[0]] = append(out.order[row[0]], row[1])
	}
	return out, nil
}

func readPairs(ctx context.Context, q querier, query string) (out [][2]string, err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		var row [2]string
		if err := rows.Scan(&row[0], &row[1]); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

const orderPostgres = `
SELECT c.relname, a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN (TRACKING)
	AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum`

// catalogPostgres returns a table and a line. What belongs to the tracking
// tables is left out by the table.
const catalogPostgres = `
WITH tables AS (
	SELECT oid, relname FROM pg_class
	WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN (TRACKING)
), keys AS (
	SELECT t.relname, k.*,
		(SELECT string_agg(a.attname, ',' ORDER BY array_position(k.conkey, a.attnum)) FROM pg_attribute a
			WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) AS columns,
		(SELECT string_agg(a.attname, ',' ORDER BY array_position(k.confkey, a.attnum)) FROM pg_attribute a
			WHERE a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)) AS targets
	FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid
), actions (code, name) AS (
	VALUES ('a'::"char", 'NO ACTION'), ('r', 'RESTRICT'), ('c', 'CASCADE'), ('n', 'SET NULL'), ('d', 'SET DEFAULT')
)
SELECT relname, 'table ' || relname || ' false' FROM tables
UNION ALL
SELECT t.relname, format('column %s.%s %s %s %s', t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
	CASE WHEN a.attnotnull THEN 'true' ELSE 'false' END, coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL'))
FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
	LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT relname, format('primary key %s %s %s', relname, conname, columns) FROM keys WHERE contype = 'p'
UNION ALL
SELECT relname, format('unique %s %s %s', relname, conname, columns) FROM keys WHERE contype = 'u'
UNION ALL
SELECT relname, format('foreign key %s %s %s %s %s %s %s', relname, conname, columns,
	(SELECT relname FROM pg_class WHERE oid = confrelid), targets,
	(SELECT name FROM actions WHERE code = confdeltype), (SELECT name FROM actions WHERE code = confupdtype))
FROM keys WHERE contype = 'f'
UNION ALL
SELECT relname, format('check %s %s', relname, conname) FROM keys WHERE contype NOT IN ('p', 'u', 'f', 'n')
UNION ALL
SELECT t.relname, 'index ' || replace(pg_get_indexdef(i.indexrelid), ' ON public.', ' ON ')
FROM tables t JOIN pg_index i ON i.indrelid = t.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT s.relname, format('sequence %s of %s.%s', s.relname, t.relname, a.attname)
FROM pg_class s
	LEFT JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
	LEFT JOIN pg_class t ON t.oid = d.refobjid
	LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' AND s.relnamespace = 'public'::regnamespace AND coalesce(t.relname, '') NOT IN (TRACKING)
UNION ALL
SELECT relname, format('%s %s', relkind, relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i', 'S')
UNION ALL
SELECT proname, 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace`

const orderSQLite = `
SELECT t.name, c.name
FROM sqlite_master t JOIN pragma_table_info(t.name) c
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND t.name NOT IN (TRACKING)
ORDER BY t.name, c.cid`

// catalogSQLite returns a table and a line.
const catalogSQLite = `
WITH tables AS (
	SELECT name, sql FROM sqlite_master
	WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN (TRACKING)
)
SELECT name, 'table ' || name || CASE WHEN sql LIKE '%autoincrement%' THEN ' true' ELSE ' false' END FROM tables
UNION ALL
SELECT t.name, 'column ' || t.name || '.' || c.name || ' ' || c.type
	|| CASE WHEN c."notnull" THEN ' true ' ELSE ' false ' END || coalesce(c.dflt_value, 'NULL')
FROM tables t JOIN pragma_table_info(t.name) c
UNION ALL
SELECT t.name, 'primary key ' || t.name || '  ' || (
	SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk))
FROM tables t WHERE EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE pk > 0)
UNION ALL
SELECT t.name, 'unique ' || t.name || '  ' || (
	SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
FROM tables t JOIN pragma_index_list(t.name) i WHERE i.origin = 'u'
UNION ALL
SELECT t.name, 'foreign key ' || t.name || '  ' || group_concat(f."from") || ' ' || f."table" || ' '
	|| group_concat(f."to") || ' ' || f.on_delete || ' ' || f.on_update
FROM tables t JOIN pragma_foreign_key_list(t.name) f GROUP BY t.name, f.id
UNION ALL
SELECT tbl_name, 'index ' || sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
	AND tbl_name NOT IN (TRACKING)
UNION ALL
SELECT tbl_name, type || ' ' || name FROM sqlite_master WHERE type NOT IN ('table', 'index')`
