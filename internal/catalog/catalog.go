// Package catalog reads what a database consists of into a canonical form,
// compares two such catalogs, and knows the catalogs that the revisions of a
// bundle lead to.
//
// [Read] describes one PostgreSQL schema, or the main database of a SQLite
// connection. [Compare] tells what is missing, what is different and what is
// there in addition; [Catalog.Fingerprint] is the same for two databases that
// Compare finds nothing in.
//
// The catalogs of a bundle are generated from its SQL and travel with it.
// Whoever puts a bundle together loads and hands them to the engine:
//
//	catalogs, err := catalog.LoadSet(files) // files holds catalogs/<engine>.json
//	…
//	runner, err := migrate.New(migrate.Options{Bundle: b, Files: files, Catalogs: catalogs, …})
//
// *[Set] is what package migrate calls Catalogs. To show a user how a database
// stands, extras included, use the parts:
//
//	want, known := catalogs.At(engine, birth, version)
//	got, err := catalog.Read(ctx, tx, engine, schema)
//	difference := catalog.Compare(want, got)
package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Querier is what reading needs of a database. *sql.DB, *sql.Conn, *sql.Tx and
// the engine's own transactions satisfy it.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Catalog is what a database consists of, without the tables that the engine
// and the application keep for themselves. Lists are sorted by name, columns by
// position. Its JSON is stable.
type Catalog struct {
	// Engine says in whose words types, defaults and definitions are written.
	Engine bundle.Engine `json:"engine"`

	// Tables by name. PostgreSQL's partitioned and foreign tables are tables,
	// too; a SQLite virtual table is one without columns, because its columns
	// are its module's, which need not be part of this program.
	Tables map[string]*Table `json:"tables"`

	// Sequences are PostgreSQL's only.
	Sequences []Sequence `json:"sequences,omitempty"`

	// Views include PostgreSQL's materialized views.
	Views []View `json:"views,omitempty"`
}

// Table is one table.
type Table struct {
	Columns     []Column     `json:"columns"`
	PrimaryKey  *Key         `json:"primary_key,omitempty"`
	Unique      []Key        `json:"unique,omitempty"`
	ForeignKeys []ForeignKey `json:"foreign_keys,omitempty"`
	Checks      []Check      `json:"checks,omitempty"`
	Indexes     []Index      `json:"indexes,omitempty"`

	// Autoincrement is set for a SQLite table whose key never repeats.
	Autoincrement bool `json:"autoincrement,omitempty"`
}

// Column is one column of a table.
type Column struct {
	Name string `json:"name"`

	// Position counts from 1 without the columns that were dropped. Databases
	// that took different ways have different positions, which hurts nobody, so
	// they are not compared.
	Position int `json:"position,omitempty"`

	// Type is spelled as the engine spells it: PostgreSQL's format_type, or the
	// type as declared in SQLite.
	Type    string `json:"type"`
	NotNull bool   `json:"not_null,omitempty"`

	// Default is the expression of the default; empty means none.
	Default string `json:"default,omitempty"`

	// Generated is the expression of a column that is computed from others, and
	// Stored tells whether the result is kept in the table.
	Generated string `json:"generated,omitempty"`
	Stored    bool   `json:"stored,omitempty"`

	// Identity is "always" or "by default" for PostgreSQL's identity columns.
	Identity string `json:"identity,omitempty"`
}

// Key is a primary key or a unique constraint.
type Key struct {
	// Name is empty for SQLite's constraints without a name.
	Name    string   `json:"name,omitempty"`
	Columns []string `json:"columns"`

	// Options say what is not usual, such as "DEFERRABLE".
	Options string `json:"options,omitempty"`
}

// ForeignKey is a foreign key.
type ForeignKey struct {
	// Name is empty for SQLite's constraints without a name.
	Name    string   `json:"name,omitempty"`
	Columns []string `json:"columns"`

	// RefTable is the table referred to; PostgreSQL's has its schema before it
	// where that is another one.
	RefTable   string   `json:"ref_table"`
	RefColumns []string `json:"ref_columns"`

	// OnDelete and OnUpdate are the actions, as in "SET NULL".
	OnDelete string `json:"on_delete"`
	OnUpdate string `json:"on_update"`

	// Options say what is not usual, such as "DEFERRABLE" or "NOT VALID".
	Options string `json:"options,omitempty"`
}

// Check is a check constraint, or one of PostgreSQL's exclusion constraints.
type Check struct {
	// Name is empty for SQLite's constraints without a name.
	Name       string `json:"name,omitempty"`
	Definition string `json:"definition"`
}

// Index is an index.
type Index struct {
	// Name is empty for those that SQLite made for a constraint.
	Name   string `json:"name,omitempty"`
	Unique bool   `json:"unique,omitempty"`

	// Definition is PostgreSQL's without the name of the schema, or the words
	// of SQLite's CREATE INDEX; empty where Name is.
	Definition string `json:"definition,omitempty"`

	// BacksConstraint is set for a PostgreSQL index that exists because of a
	// constraint.
	BacksConstraint bool `json:"backs_constraint,omitempty"`

	// Invalid is set for a PostgreSQL index that nobody can use, as a failed
	// CREATE INDEX CONCURRENTLY leaves it.
	Invalid bool `json:"invalid,omitempty"`

	// Origin says for SQLite what made the index.
	Origin Origin `json:"origin,omitempty"`

	// Columns are SQLite's; an expression is the empty string.
	Columns []string `json:"columns,omitempty"`

	// Partial is set for a SQLite index with a WHERE.
	Partial bool `json:"partial,omitempty"`
}

// Origin says what made an index of SQLite.
type Origin string

// Origins.
const (
	OriginCreateIndex Origin = "create_index"
	OriginUnique      Origin = "unique_constraint"
	OriginPrimaryKey  Origin = "primary_key"
)

// Sequence is a sequence of PostgreSQL.
type Sequence struct {
	Name string `json:"name"`
	// OwnedBy is the column that it ends with, as table.column; empty if none.
	OwnedBy string `json:"owned_by,omitempty"`
}

// View is a view.
type View struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

// bookkeeping are the tables of the engine and of the application's own tools,
// which are no part of a revision. They are those of package migrate, which
// cannot be imported here because it is to use this package.
var bookkeeping = []string{
	"schema_migrations", "schemagate_history", "schemagate_owner", "migratehistory", "alembic_version",
}

// Bookkeeping returns the names of the tables that catalogs leave out, together
// with their indexes and sequences.
func Bookkeeping() []string { return slices.Clone(bookkeeping) }

// Read reads the catalog of a database. schema is the PostgreSQL schema, empty
// for the connection's current one; SQLite has none. The search path plays no
// role in what is reported.
//
// It sends the same few queries however many tables there are. They see one
// state of the database only if q is a transaction, on PostgreSQL of the level
// repeatable read.
func Read(ctx context.Context, q Querier, engine bundle.Engine, schema string) (*Catalog, error) {
	c := &Catalog{Engine: engine, Tables: map[string]*Table{}}
	var err error
	switch engine {
	case bundle.Postgres:
		err = readPostgres(ctx, q, schema, c)
	case bundle.SQLite:
		err = readSQLite(ctx, q, c)
	default:
		return nil, fmt.Errorf("%q is no engine", engine)
	}
	if err != nil {
		return nil, err
	}
	c.tidy()
	return c, nil
}

// Decode reads a catalog from JSON. Tables that catalogs leave out are left
// out, fields that are not known are ignored.
func Decode(data []byte) (*Catalog, error) {
	c := &Catalog{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("decoding a catalog: %w", err)
	}
	if c.Engine != bundle.Postgres && c.Engine != bundle.SQLite {
		return nil, fmt.Errorf("decoding a catalog: %q is no engine", c.Engine)
	}
	if c.Tables == nil {
		return nil, fmt.Errorf("decoding a catalog: it has no tables")
	}
	for name, t := range c.Tables {
		if t == nil {
			return nil, fmt.Errorf("decoding a catalog: the table %s is null", name)
		}
	}
	c.tidy()
	return c, nil
}
