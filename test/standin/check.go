package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/schemagate/schemagate/internal/appversion"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/dburl"
)

// requirement is what a release needs of its database.
type requirement struct {
	release  appversion.Version
	revision bundle.Revision
	engine   bundle.Engine
	bundle   *bundle.Bundle
	catalogs *catalog.Set
}

// newRequirement looks a release up in a bundle.
func newRequirement(files fs.FS, engine dburl.Engine, release string) (requirement, error) {
	var r requirement
	var err error
	if r.release, err = appversion.Parse(release); err != nil {
		return r, fmt.Errorf("the release that it was built for: %w", err)
	}
	if r.bundle, err = bundle.Load(files); err != nil {
		return r, err
	}
	if r.revision, err = r.bundle.RequiredBy(r.release); err != nil {
		return r, err
	}
	if r.catalogs, err = catalog.LoadSet(files); err != nil {
		return r, err
	}
	r.engine = bundle.Engine(engine) // the names are the same
	return r, nil
}

func (r requirement) revisionName() string {
	return fmt.Sprintf("%d (%s)", r.revision.Version, r.revision.ID)
}

// problem returns the first thing in a database that the release cannot live
// with, by table and column, or nothing. migratehistory says whether there is a
// table of that name, which tells how the database was born.
func (r requirement) problem(live *catalog.Catalog, migratehistory bool) string {
	birth, what := r.birth(live, migratehistory)
	if what == "" {
		// The edition of 0.9.5 has other keys and the same columns as birth peewee.
		if want, known := r.catalogs.At(r.engine, birth, r.revision.Version); known {
			what = lacking(want, live)
		} else {
			what = fmt.Sprintf("the bundle has no catalog of it for birth %s", birth)
		}
	}
	if what == "" {
		return ""
	}
	return fmt.Sprintf("requires revision %s: %s", r.revisionName(), what)
}

// birth returns how the database was born, or why the release cannot run on
// any database of that birth. An empty one has not been born yet.
func (r requirement) birth(live *catalog.Catalog, migratehistory bool) (birth bundle.Birth, why string) {
	switch {
	case migratehistory:
		return bundle.BirthPeewee, ""
	case live.Tables["user"] == nil: // which every revision has
		return r.bundle.BirthFor(r.revision.Version), ""
	}
	spec, _ := r.bundle.Birth(bundle.BirthAlembic)
	if r.release.Compare(spec.AppFrom) < 0 {
		return "", fmt.Sprintf("table migratehistory is missing: the database was made for %s or newer", spec.AppFrom)
	}
	return bundle.BirthAlembic, ""
}

// lacking returns the first difference from what a release expects that makes
// its statements fail. It names its columns in every SELECT and INSERT, so
// tables and columns that it does not know are none of its business, unless a
// column wants a value that nobody gives it.
func lacking(want, live *catalog.Catalog) string {
	for _, name := range slices.Sorted(maps.Keys(want.Tables)) {
		table, ok := live.Tables[name]
		if !ok {
			return fmt.Sprintf("table %s is missing", name)
		}
		if what := lackingColumn(want.Tables[name].Columns, table.Columns); what != "" {
			return fmt.Sprintf("column %s.%s", name, what)
		}
	}
	return ""
}

func lackingColumn(want, live []catalog.Column) string {
	byName := map[string]catalog.Column{}
	for _, column := range live {
		byName[column.Name] = column
	}
	for _, w := range want {
		column, ok := byName[w.Name]
		if !ok {
			return w.Name + " is missing"
		}
		if kind(w.Type) != kind(column.Type) {
			return fmt.Sprintf("%s is %s instead of %s", w.Name, column.Type, w.Type)
		}
		delete(byName, w.Name)
	}
	for _, column := range live {
		if _, unknown := byName[column.Name]; unknown && insists(column) {
			return column.Name + " must be filled, and this release does not know it"
		}
	}
	return ""
}

func insists(column catalog.Column) bool {
	return column.NotNull && column.Default == "" && column.Generated == "" && column.Identity == ""
}

// kind is what the application sees of a type: it does not care how long a text
// may be or how many bytes a number has.
func kind(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(name), "(")
	switch name {
	case "character varying", "varchar", "text":
		return "text"
	case "integer", "bigint", "smallint":
		return "number"
	case "timestamp without time zone", "datetime":
		return "time"
	}
	return name
}

// checker looks at a live database.
type checker struct {
	needs requirement
	db    *sql.DB
	// timeout bounds one look; PostgreSQL makes it wait for whoever has locked a
	// table.
	timeout time.Duration
}

// check reads the database and returns its problem, as above. The error says
// why it could not be read, which is no problem of that kind.
func (c *checker) check(ctx context.Context) (problem string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	options := &sql.TxOptions{}
	if c.needs.engine == bundle.Postgres {
		// One state for all queries, so that a migration that commits between two
		// of them does not look like a broken schema. SQLite does that by itself.
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := c.db.BeginTx(ctx, options)
	if err != nil {
		return "", err
	}
	defer func() {
		if rollbackErr := tx.Rollback(); !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = cmp.Or(err, rollbackErr)
		}
	}()
	live, err := catalog.Read(ctx, tx, c.needs.engine, "")
	if err != nil {
		return "", err
	}
	migratehistory, err := hasMigratehistory(ctx, tx, c.needs.engine)
	if err != nil {
		return "", err
	}
	return c.needs.problem(live, migratehistory), nil
}

// hasMigratehistory looks for a table that catalogs leave out.
func hasMigratehistory(ctx context.Context, tx *sql.Tx, engine bundle.Engine) (found bool, err error) {
	query := "SELECT to_regclass('migratehistory') IS NOT NULL"
	if engine == bundle.SQLite {
		query = "SELECT count(*) FROM sqlite_master WHERE name = 'migratehistory'"
	}
	err = tx.QueryRowContext(ctx, query).Scan(&found)
	return found, err
}
