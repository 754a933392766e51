package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Names beginning with sqlite_ are SQLite's own. A virtual table has no root
// page; asking for its columns would need its module. All names are those of
// the main database, whatever temporary tables hide it.
const (
	sqliteObjects = `SELECT name, type, COALESCE(sql, '') FROM main.sqlite_schema
		WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`

	sqliteTables = `SELECT name FROM main.sqlite_schema
		WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`

	sqliteColumns = `SELECT t.name, x.cid, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden
		FROM (` + sqliteTables + `) t, pragma_table_xinfo(t.name, 'main') x ORDER BY t.name, x.cid`

	sqliteIndexes = `SELECT t.name, l.name, l."unique", l.origin, l.partial, s.sql, x.name
		FROM (` + sqliteTables + `) t, pragma_index_list(t.name, 'main') l, pragma_index_xinfo(l.name, 'main') x
		LEFT JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = l.name
		WHERE x.key = 1 ORDER BY t.name, l.seq, x.seqno`

	sqliteForeignKeys = `SELECT t.name, f.id, f."table", f."from", f."to", f.on_update, f.on_delete
		FROM (` + sqliteTables + `) t, pragma_foreign_key_list(t.name, 'main') f ORDER BY t.name, f.id, f.seq`
)

// sqliteReader reads one database.
type sqliteReader struct {
	c *Catalog
	// parsed is what the pragmas do not tell, by table.
	parsed map[string]*sqliteTable
	// keys are the columns of the primary keys by their place in the key.
	keys       map[string]map[int]string
	index      string
	foreignKey struct {
		table string
		id    int
	}
}

func readSQLite(ctx context.Context, q Querier, c *Catalog) error {
	r := &sqliteReader{c: c, parsed: map[string]*sqliteTable{}, keys: map[string]map[int]string{}}
	for _, part := range []struct {
		what, query string
		row         func(*sql.Rows) error
	}{
		{"tables", sqliteObjects, r.object},
		{"columns", sqliteColumns, r.column},
		{"indexes", sqliteIndexes, r.indexColumn},
		{"foreign keys", sqliteForeignKeys, r.foreignKeyColumn},
	} {
		if err := each(ctx, q, part.query, nil, part.row); err != nil {
			return fmt.Errorf("reading the %s: %w", part.what, err)
		}
	}
	r.finish()
	return nil
}

func (r *sqliteReader) object(rows *sql.Rows) error {
	var name, kind, text string
	if err := rows.Scan(&name, &kind, &text); err != nil {
		return err
	}
	if kind == "view" {
		r.c.Views = append(r.c.Views, View{Name: name, Definition: text})
		return nil
	}
	parsed := parseSQLiteTable(text)
	r.parsed[name] = parsed
	t := r.c.table(name)
	t.Unique, t.Checks, t.Autoincrement = parsed.unique, parsed.checks, parsed.autoincrement
	return nil
}

func (r *sqliteReader) column(rows *sql.Rows) error {
	var table string
	var column Column
	var cid, key, hidden int
	var def sql.NullString
	if err := rows.Scan(&table, &cid, &column.Name, &column.Type, &column.NotNull, &def, &key, &hidden); err != nil {
		return err
	}
	column.Position, column.Default = cid+1, def.String
	if hidden == 2 || hidden == 3 {
		column.Generated = r.parsed[table].generated[strings.ToLower(column.Name)]
		column.Stored = hidden == 3
	}
	if key > 0 {
		if r.keys[table] == nil {
			r.keys[table] = map[int]string{}
		}
		r.keys[table][key] = column.Name
	}
	t := r.c.table(table)
	t.Columns = append(t.Columns, column)
	return nil
}

var sqliteOrigins = map[string]Origin{"c": OriginCreateIndex, "u": OriginUnique, "pk": OriginPrimaryKey}

func (r *sqliteReader) indexColumn(rows *sql.Rows) error {
	var table, name, origin string
	var index Index
	var definition, column sql.NullString
	if err := rows.Scan(&table, &name, &index.Unique, &origin, &index.Partial, &definition, &column); err != nil {
		return err
	}
	t := r.c.table(table)
	if name != r.index {
		r.index = name
		index.Origin = sqliteOrigins[origin]
		if index.Origin == OriginCreateIndex {
			index.Name, index.Definition = name, definition.String
		}
		t.Indexes = append(t.Indexes, index)
	}
	last := &t.Indexes[len(t.Indexes)-1]
	last.Columns = append(last.Columns, column.String)
	return nil
}

func (r *sqliteReader) foreignKeyColumn(rows *sql.Rows) error {
	var table, column string
	var id int
	var fk ForeignKey
	var refColumn sql.NullString
	if err := rows.Scan(&table, &id, &fk.RefTable, &column, &refColumn, &fk.OnUpdate, &fk.OnDelete); err != nil {
		return err
	}
	t := r.c.table(table)
	if table != r.foreignKey.table || id != r.foreignKey.id || len(t.ForeignKeys) == 0 {
		r.foreignKey.table, r.foreignKey.id = table, id
		// SQLite numbers them backwards.
		if declared := r.parsed[table].foreignKeys; id < len(declared) {
			fk.Name, fk.Options = declared[len(declared)-1-id].name, declared[len(declared)-1-id].options
		}
		t.ForeignKeys = append(t.ForeignKeys, fk)
	}
	last := &t.ForeignKeys[len(t.ForeignKeys)-1]
	last.Columns = append(last.Columns, column)
	if refColumn.Valid {
		last.RefColumns = append(last.RefColumns, refColumn.String)
	}
	return nil
}

// finish makes the primary keys, and gives the foreign keys that name no
// columns those of the primary key they mean.
func (r *sqliteReader) finish() {
	for name, columns := range r.keys {
		key := &Key{Name: r.parsed[name].primaryKey}
		for i := range len(columns) {
			key.Columns = append(key.Columns, columns[i+1])
		}
		r.c.Tables[name].PrimaryKey = key
	}
	for _, t := range r.c.Tables {
		for i := range t.ForeignKeys {
			fk := &t.ForeignKeys[i]
			if parent := r.c.Tables[fk.RefTable]; fk.RefColumns == nil && parent != nil && parent.PrimaryKey != nil {
				fk.RefColumns = parent.PrimaryKey.Columns
			}
		}
	}
}
