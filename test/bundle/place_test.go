package bundle_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/openwebui"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/postgres"
	"github.com/schemagate/schemagate/migrations"
)

// newest is the newest revision that has files.
const newest = 76

// place is an empty database for a test.
type place struct {
	url     string
	db      *sql.DB
	dialect step.Dialect
}

// engines open an empty database.
var engines = map[step.Dialect]func(tb testing.TB) place{
	step.Postgres: newPostgres,
	step.SQLite:   newSQLite,
}

func newPostgres(tb testing.TB) place {
	tb.Helper()
	url := postgres.Shared(tb).NewDatabase(tb)
	return place{url: url, db: postgres.Open(tb, url), dialect: step.Postgres}
}

func newSQLite(tb testing.TB) place {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "webui.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_busy_timeout=10000")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Closing a database: %v", err)
		}
	})
	return place{url: "sqlite:///" + path, db: db, dialect: step.SQLite}
}

// options are those to migrate to a revision, 0 for none.
func (p place) options(tb testing.TB, target int, birth bundle.Birth, catalogs migrate.Catalogs) migrate.Options {
	tb.Helper()
	files := migrations.OpenWebUI()
	b, err := bundle.Load(files)
	if err != nil {
		tb.Fatal(err)
	}
	database, err := dburl.Parse(p.url)
	if err != nil {
		tb.Fatal(err)
	}
	return migrate.Options{
		Bundle: b, Files: files, Steps: openwebui.Steps(), Catalogs: catalogs, Database: database,
		Target: strconv.Itoa(target), Birth: string(birth), AllowDowngrade: true,
		RetryTimeout: 30 * time.Second, Version: "test",
	}
}

// with calls fn with a runner.
func with(tb testing.TB, o migrate.Options, fn func(r *migrate.Runner)) {
	tb.Helper()
	runner, err := migrate.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := runner.Close(); err != nil {
			tb.Errorf("Closing the runner: %v", err)
		}
	}()
	fn(runner)
}

// run migrates to a revision, 0 for none.
func (p place) run(tb testing.TB, target int, birth bundle.Birth, catalogs migrate.Catalogs) (res result.Result, err error) {
	tb.Helper()
	with(tb, p.options(tb, target, birth, catalogs), func(r *migrate.Runner) { res, err = r.Run(tb.Context()) })
	return res, err
}

// migrate brings the database to a revision.
func (p place) migrate(tb testing.TB, target int, birth bundle.Birth) {
	tb.Helper()
	if _, err := p.run(tb, target, birth, nil); err != nil {
		tb.Fatalf("Migrating to revision %d: %v", target, err)
	}
}

// load executes a script, on a connection of its own because dumps change
// settings of theirs.
func (p place) load(tb testing.TB, script string) {
	tb.Helper()
	ctx := tb.Context()
	conn, err := p.db.Conn(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.ExecContext(ctx, script); err != nil {
		tb.Fatalf("Loading rows: %v", err)
	}
	if p.dialect == step.Postgres {
		if _, err := conn.ExecContext(ctx, "RESET ALL"); err != nil {
			tb.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		tb.Fatal(err)
	}
}

// catalog returns what the database consists of.
func (p place) catalog(tb testing.TB) snapshot {
	tb.Helper()
	c, err := readCatalog(tb.Context(), p.db, p.dialect)
	if err != nil {
		tb.Fatalf("Reading the catalog: %v", err)
	}
	return c
}

// rows are the rows of a database: by table, each a map from column to value.
type rows map[string][]map[string]string

// rows reads all rows of all tables. A value is spelled so that NULL, the types
// and, on SQLite, the storage classes are told apart.
func (p place) rows(tb testing.TB) rows {
	tb.Helper()
	out := rows{}
	for table, columns := range p.catalog(tb).order {
		out[table] = []map[string]string{}
		values := make([]string, len(columns))
		for i, name := range columns {
			values[i] = fmt.Sprintf("quote_nullable(%q::text)", name)
			if p.dialect == step.SQLite {
				values[i] = fmt.Sprintf("typeof(%q) || ' ' || quote(%q)", name, name)
			}
		}
		query := fmt.Sprintf("SELECT %s FROM %q", strings.Join(values, ", "), table)
		if err := p.each(tb.Context(), query, len(columns), func(row []string) {
			m := map[string]string{}
			for i, name := range columns {
				m[name] = row[i]
			}
			out[table] = append(out[table], m)
		}); err != nil {
			tb.Fatalf("Reading the rows of %s: %v", table, err)
		}
	}
	return out
}

func (p place) each(ctx context.Context, query string, width int, fn func([]string)) (err error) {
	found, err := p.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := found.Close(); err == nil {
			err = closeErr
		}
	}()
	row, pointers := make([]string, width), make([]any, width)
	for i := range row {
		pointers[i] = &row[i]
	}
	for found.Next() {
		if err := found.Scan(pointers...); err != nil {
			return err
		}
		fn(row)
	}
	return found.Err()
}

// lines returns the rows with the columns that other has, too, one line for
// each row, sorted. Tables that other does not have are left out.
func (r rows) lines(other snapshot) []string {
	var out []string
	for table, all := range r {
		for _, row := range all {
			line := table
			for _, column := range slices.Sorted(slices.Values(other.order[table])) {
				if value, ok := row[column]; ok {
					line += " " + column + "=" + value
				}
			}
			if line != table {
				out = append(out, line)
			}
		}
	}
	slices.Sort(out)
	return out
}

// without returns a copy that lacks columns, given as "table.column".
func (r rows) without(columns ...string) rows {
	out := rows{}
	for table, all := range r {
		for _, row := range all {
			kept := map[string]string{}
			for name, value := range row {
				if !slices.Contains(columns, table+"."+name) {
					kept[name] = value
				}
			}
			out[table] = append(out[table], kept)
		}
	}
	return out
}

// value returns what a query of one value returns.
func (p place) value(tb testing.TB, query string) string {
	tb.Helper()
	var out sql.NullString
	if err := p.db.QueryRowContext(tb.Context(), query).Scan(&out); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return out.String
}

// column returns what a query of one column returns.
func (p place) column(tb testing.TB, query string) (out []string) {
	tb.Helper()
	if err := p.each(tb.Context(), query, 1, func(row []string) { out = append(out, row[0]) }); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return out
}

// TestNewest keeps the constant from falling behind the files.
func TestNewest(t *testing.T) {
	t.Parallel()
	files := migrations.OpenWebUI()
	b, err := bundle.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range b.Engines {
		for _, birth := range b.Births {
			set, err := b.Files(files, engine, birth.Name)
			if err != nil {
				t.Errorf("%s, %s: %v", engine, birth.Name, err)
			}
			if set.Available() != newest {
				t.Errorf("%s, %s: the newest revision with files is %d, want %d", engine, birth.Name, set.Available(), newest)
			}
		}
	}
	if _, err := fs.Stat(files, bundle.ManifestName); err != nil {
		t.Error(err)
	}
}
