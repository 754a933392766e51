package recorded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Queryer reads from a database. *sql.DB, *sql.Tx and *sql.Conn satisfy it.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// bookkeeping are the tables that revisions do not own.
var bookkeeping = []string{
	"alembic_version", "migratehistory", "schema_migrations", "schemagate_history", "schemagate_owner",
}

// Dump reads all tables of a live database; on PostgreSQL those of the first
// schema in the search path.
func Dump(ctx context.Context, q Queryer, dialect step.Dialect) (Database, error) {
	d := Database{Tables: map[string][]Row{}, Dialect: dialect}
	tables, err := columnsByTable(ctx, q, dialect)
	if err != nil {
		return Database{}, fmt.Errorf("listing tables: %w", err)
	}
	for name, columns := range tables {
		if slices.Contains(bookkeeping, name) {
			continue
		}
		if d.Tables[name], err = dumpTable(ctx, q, dialect, name, columns); err != nil {
			return Database{}, fmt.Errorf("reading table %s: %w", name, err)
		}
	}
	d.Taken = time.Now()
	return d, nil
}

// column is a column of a live table.
type column struct{ name, declared string }

// isJSON holds for json and jsonb, and for SQLite's JSON.
func (c column) isJSON() bool { return strings.HasPrefix(strings.ToLower(c.declared), "json") }

const postgresColumns = `
SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
ORDER BY c.relname, a.attnum`

const sqliteColumns = `
SELECT m.name, c.name, c.type
FROM sqlite_master AS m
JOIN pragma_table_info(m.name) AS c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY m.name, c.cid`

func columnsByTable(ctx context.Context, q Queryer, dialect step.Dialect) (map[string][]column, error) {
	query := postgresColumns
	if dialect == step.SQLite {
		query = sqliteColumns
	}
	tables := map[string][]column{}
	err := each(ctx, q, query, func(values []any) error {
		table := fmt.Sprint(text(values[0]))
		tables[table] = append(tables[table], column{fmt.Sprint(text(values[1])), fmt.Sprint(text(values[2]))})
		return nil
	})
	return tables, err
}

func dumpTable(ctx context.Context, q Queryer, dialect step.Dialect, table string, columns []column) ([]Row, error) {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = selectExpression(c, dialect)
	}
	var rows []Row
	err := each(ctx, q, "SELECT "+strings.Join(list, ", ")+" FROM "+pq.QuoteIdentifier(table), func(values []any) error {
		row := Row{}
		for i, c := range columns {
			cell, err := liveCell(values[i], c)
			if err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
			row[c.name] = cell
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// selectExpression selects a column so that the driver does not interpret it:
// on SQLite a plus sign hides the declared type, on PostgreSQL everything but
// booleans and numbers is read as the server prints it.
func selectExpression(c column, dialect step.Dialect) string {
	name := pq.QuoteIdentifier(c.name)
	if dialect == step.SQLite {
		return "+" + name
	}
	switch c.declared {
	case "boolean", "smallint", "integer", "bigint", "real", "double precision":
		return name
	}
	return name + "::text"
}

func liveCell(v any, c column) (Cell, error) {
	v = text(v)
	switch value := v.(type) {
	case nil, bool:
		return v, nil
	case int64:
		return wrap(pyjson.Int(strconv.FormatInt(value, 10)), c), nil
	case float64:
		return wrap(value, c), nil
	case string:
		if !c.isJSON() {
			return v, nil
		}
		// SQLite checks nothing: a text that is no JSON is shown as it is.
		if decoded, err := pyjson.Decode(value); err == nil {
			return JSON{decoded}, nil
		}
		return v, nil
	}
	return nil, fmt.Errorf("a value of type %T cannot be shown", v)
}

// wrap marks a value of a JSON column as such: SQLite stores a bare number in
// one as a number.
func wrap(v pyjson.Value, c column) Cell {
	if c.isJSON() {
		return JSON{v}
	}
	return v
}

// text returns bytes as a string, and other values unchanged.
func text(v any) any {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v
}

// each calls fn for every row of a query.
func each(ctx context.Context, q Queryer, query string, fn func(values []any) error) (err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := fn(values); err != nil {
			return err
		}
	}
	return rows.Err()
}
