package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The queries work on PostgreSQL 13 and newer. All read pg_catalog alone, which
// every role may, and find the schema by its number. Lists of names come as
// JSON, which needs no decoder of the driver's.
const (
	pgSchema = `SELECT oid::text, quote_ident(nspname) FROM pg_catalog.pg_namespace
		WHERE nspname = COALESCE(NULLIF($1::text, ''), current_schema()::text)`

	pgColumns = `SELECT c.relname::text, a.attname::text,
			CASE WHEN a.attnum IS NOT NULL THEN row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) END,
			pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
			pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text
		FROM pg_catalog.pg_class c
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relnamespace = $1::oid AND c.relkind IN ('r', 'p', 'f')
		ORDER BY c.oid, a.attnum`

	// The type 'n', NOT NULL, is new in PostgreSQL 18 and said by the column.
	pgConstraints = `SELECT c.relname::text, k.conname::text, k.contype::text,
			(SELECT json_agg(a.attname ORDER BY n.i) FROM unnest(k.conkey) WITH ORDINALITY n (attnum, i)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.attnum),
			CASE WHEN r.relnamespace <> c.relnamespace THEN quote_ident(rn.nspname) || '.' ELSE '' END || r.relname,
			(SELECT json_agg(a.attname ORDER BY n.i) FROM unnest(k.confkey) WITH ORDINALITY n (attnum, i)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = n.attnum),
			k.confdeltype::text, k.confupdtype::text, k.confmatchtype::text,
			k.condeferrable, k.condeferred, k.convalidated,
			CASE WHEN k.contype IN ('c', 'x') THEN pg_catalog.pg_get_constraintdef(k.oid) END
		FROM pg_catalog.pg_constraint k
		JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
		LEFT JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
		LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
		WHERE c.relnamespace = $1::oid AND c.relkind IN ('r', 'p', 'f') AND k.contype IN ('p', 'u', 'f', 'c', 'x')`

	pgIndexes = `SELECT c.relname::text, x.relname::text, i.indisunique, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid),
			EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
		FROM pg_catalog.pg_index i
		JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
		JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
		WHERE c.relnamespace = $1::oid AND c.relkind IN ('r', 'p', 'f')`

	pgSequences = `SELECT s.relname::text, o.relname || '.' || a.attname
		FROM pg_catalog.pg_class s
		LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.oid AND d.objsubid = 0
			AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
		LEFT JOIN pg_catalog.pg_class o ON o.oid = d.refobjid
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
		WHERE s.relnamespace = $1::oid AND s.relkind = 'S'`

	pgViews = `SELECT relname::text, pg_catalog.pg_get_viewdef(oid) FROM pg_catalog.pg_class
		WHERE relnamespace = $1::oid AND relkind IN ('v', 'm')`
)

// pgReader reads one schema.
type pgReader struct {
	q Querier
	c *Catalog
	// oid is the schema's number, prefix its quoted name.
	oid, prefix string
}

func readPostgres(ctx context.Context, q Querier, schema string, c *Catalog) error {
	r := &pgReader{q: q, c: c}
	found := false
	err := each(ctx, q, pgSchema, []any{schema}, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&r.oid, &r.prefix)
	})
	if err != nil {
		return fmt.Errorf("finding the schema: %w", err)
	}
	if !found {
		return errors.New("the database has no such schema")
	}
	for _, part := range []struct {
		what, query string
		row         func(*sql.Rows) error
	}{
		{"columns", pgColumns, r.column},
		{"constraints", pgConstraints, r.constraint},
		{"indexes", pgIndexes, r.index},
		{"sequences", pgSequences, r.sequence},
		{"views", pgViews, r.view},
	} {
		if err := each(ctx, q, part.query, []any{r.oid}, part.row); err != nil {
			return fmt.Errorf("reading the %s: %w", part.what, err)
		}
	}
	return nil
}

// each calls fn for every row and closes the rows before it returns: lib/pq
// cannot send the next query otherwise.
func each(ctx context.Context, q Querier, query string, args []any, fn func(*sql.Rows) error) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// table returns a table of the catalog, a new one the first time.
func (c *Catalog) table(name string) *Table {
	t := c.Tables[name]
	if t == nil {
		t = &Table{}
		c.Tables[name] = t
	}
	return t
}

func (r *pgReader) column(rows *sql.Rows) error {
	var table string
	var name, typ, def, identity, generated sql.NullString
	var position sql.NullInt64
	var notNull sql.NullBool
	if err := rows.Scan(&table, &name, &position, &typ, &notNull, &def, &identity, &generated); err != nil {
		return err
	}
	t := r.c.table(table)
	if !name.Valid {
		return nil // a table without columns
	}
	column := Column{
		Name: name.String, Position: int(position.Int64),
		Type: unqualify(typ.String, r.prefix), NotNull: notNull.Bool,
	}
	switch expression := unqualify(def.String, r.prefix); generated.String {
	case "":
		column.Default = expression
	default:
		column.Generated, column.Stored = expression, generated.String == "s"
	}
	switch identity.String {
	case "a":
		column.Identity = "always"
	case "d":
		column.Identity = "by default"
	}
	t.Columns = append(t.Columns, column)
	return nil
}

// pgActions are the letters in pg_constraint.
var pgActions = map[string]string{
	"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT",
}

func (r *pgReader) constraint(rows *sql.Rows) error {
	var table, name, kind, onDelete, onUpdate, match string
	var columns, refColumns []byte
	var refTable, definition sql.NullString
	var deferrable, deferred, validated bool
	err := rows.Scan(&table, &name, &kind, &columns, &refTable, &refColumns, &onDelete, &onUpdate, &match,
		&deferrable, &deferred, &validated, &definition)
	if err != nil {
		return err
	}
	key := Key{Name: name, Options: pgOptions(match == "f", deferrable, deferred, validated)}
	if err := decodeNames(columns, &key.Columns); err != nil {
		return err
	}
	t := r.c.table(table)
	switch kind {
	case "p":
		t.PrimaryKey = &key
	case "u":
		t.Unique = append(t.Unique, key)
	case "f":
		fk := ForeignKey{
			Name: name, Columns: key.Columns, RefTable: refTable.String,
			OnDelete: pgActions[onDelete], OnUpdate: pgActions[onUpdate], Options: key.Options,
		}
		if err := decodeNames(refColumns, &fk.RefColumns); err != nil {
			return err
		}
		t.ForeignKeys = append(t.ForeignKeys, fk)
	default:
		// The definition says all that options could.
		t.Checks = append(t.Checks, Check{Name: name, Definition: unqualify(definition.String, r.prefix)})
	}
	return nil
}

func decodeNames(data []byte, into *[]string) error {
	if data == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}

func pgOptions(full, deferrable, deferred, validated bool) string {
	var options []string
	if full {
		options = append(options, "MATCH FULL")
	}
	if deferrable {
		options = append(options, "DEFERRABLE")
	}
	if deferred {
		options = append(options, "INITIALLY DEFERRED")
	}
	if !validated {
		options = append(options, "NOT VALID")
	}
	return strings.Join(options, " ")
}

func (r *pgReader) index(rows *sql.Rows) error {
	var table, definition string
	var index Index
	var valid bool
	if err := rows.Scan(&table, &index.Name, &index.Unique, &valid, &definition, &index.BacksConstraint); err != nil {
		return err
	}
	index.Definition, index.Invalid = unqualify(definition, r.prefix), !valid
	t := r.c.table(table)
	t.Indexes = append(t.Indexes, index)
	return nil
}

func (r *pgReader) sequence(rows *sql.Rows) error {
	var name string
	var owner sql.NullString
	if err := rows.Scan(&name, &owner); err != nil {
		return err
	}
	r.c.Sequences = append(r.c.Sequences, Sequence{Name: name, OwnedBy: owner.String})
	return nil
}

func (r *pgReader) view(rows *sql.Rows) error {
	var v View
	if err := rows.Scan(&v.Name, &v.Definition); err != nil {
		return err
	}
	v.Definition = unqualify(v.Definition, r.prefix)
	r.c.Views = append(r.c.Views, v)
	return nil
}
