package migrate

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// revisionSpec is one revision of an invented bundle. SQL is for both engines.
type revisionSpec struct {
	up, down  string
	label     string // additive when empty
	peewee    bool
	touches   []string
	preflight string // YAML below "preflight:", indented by six blanks
}

// bundleOf returns a bundle with the given revisions, for both engines.
func bundleOf(tb testing.TB, specs ...revisionSpec) (*bundle.Bundle, fstest.MapFS) {
	tb.Helper()
	files := fstest.MapFS{}
	var manifest strings.Builder
	first := 1
	for i, s := range specs {
		if s.peewee {
			first = i + 2
		}
	}
	fmt.Fprintf(&manifest, "name: invented\ntitle: Invented\nengines: [postgres, sqlite]\nnewestRelease: 9.0.0\nbornAlembicFrom: %d\n", first)
	fmt.Fprintf(&manifest, "births:\n- {name: peewee, first: 1, appFrom: 0.0.1}\n- {name: alembic, first: %d, appFrom: 0.0.%d}\nrevisions:\n", first, first)
	for i, s := range specs {
		version := i + 1
		history, id := "alembic", testID(version)
		if s.peewee {
			history, id = "peewee", fmt.Sprintf("%03d", version)
		}
		touches := s.touches
		if touches == nil {
			touches = []string{"t"}
		}
		fmt.Fprintf(&manifest, "- version: %d\n  id: %q\n  history: %s\n  name: step_%d\n  app: 0.0.%d\n  touches: [%s]\n  label: %s\n  why: It is invented.\n",
			version, id, history, version, version, strings.Join(touches, ", "), cmp.Or(s.label, "additive"))
		if s.preflight != "" {
			fmt.Fprintf(&manifest, "  preflight:\n%s\n", s.preflight)
		}
		for _, engine := range []string{"postgres", "sqlite"} {
			name := fmt.Sprintf("%s/%03d_step_%d", engine, version, version)
			files[name+".up.sql"] = &fstest.MapFile{Data: []byte("-- up\n" + s.up)}
			files[name+".down.sql"] = &fstest.MapFile{Data: []byte("-- down\n" + s.down)}
			if strings.HasPrefix(s.up, "-- schemagate:no-transaction") {
				files[name+".up.sql"] = &fstest.MapFile{Data: []byte(s.up)}
			}
		}
	}
	files[bundle.ManifestName] = &fstest.MapFile{Data: []byte(manifest.String())}
	b, err := bundle.Load(files)
	if err != nil {
		tb.Fatal(err)
	}
	return b, files
}

func testID(version int) string { return fmt.Sprintf("%012x", 0xabc000+version) }

// chain returns n revisions that each add a column and a row, so that running
// one twice, or half of one, shows.
func chain(n int) []revisionSpec {
	specs := []revisionSpec{{
		up:   "CREATE TABLE t (id integer NOT NULL);\nINSERT INTO t (id) VALUES (1);",
		down: "DROP TABLE t;",
	}}
	for i := 2; i <= n; i++ {
		specs = append(specs, revisionSpec{
			up:   fmt.Sprintf("ALTER TABLE t ADD COLUMN c%d integer;\nINSERT INTO t (id, c%d) VALUES (%d, %d);", i, i, i, i),
			down: fmt.Sprintf("DELETE FROM t WHERE id = %d;\nALTER TABLE t DROP COLUMN c%d;", i, i),
		})
	}
	return specs
}

// place is a database for a test.
type place struct {
	url string
	db  *sql.DB
}

func newPostgres(tb testing.TB) place {
	tb.Helper()
	u := postgres.Shared(tb).NewDatabase(tb)
	return place{url: u, db: postgres.Open(tb, u)}
}

func newSQLite(tb testing.TB) place {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "it's 100% odd#.db")
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_busy_timeout=10000")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Closing a database: %v", err)
		}
	})
	return place{url: "sqlite:///" + path, db: db}
}

// engines are the ways to get an empty database, by engine.
var engines = map[string]func(testing.TB) place{"postgres": newPostgres, "sqlite": newSQLite}

func (p place) dialect() step.Dialect {
	if strings.HasPrefix(p.url, "sqlite") {
		return step.SQLite
	}
	return step.Postgres
}

func (p place) exec(tb testing.TB, query string) {
	tb.Helper()
	if _, err := p.db.ExecContext(tb.Context(), query); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

// text returns what a query of one value returns.
func (p place) text(tb testing.TB, query string) string {
	tb.Helper()
	var out sql.NullString
	if err := p.db.QueryRowContext(tb.Context(), query).Scan(&out); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return out.String
}

func (p place) want(tb testing.TB, query, want string) {
	tb.Helper()
	if got := p.text(tb, query); got != want {
		tb.Errorf("%s: got %q, want %q", query, got, want)
	}
}

// tables lists the tables that are not bookkeeping of ours.
func (p place) tables(tb testing.TB) string {
	tb.Helper()
	if p.dialect() == step.SQLite {
		return p.text(tb, "SELECT coalesce(group_concat(name), '') FROM (SELECT name FROM sqlite_master WHERE type = 'table'"+
			" AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'schema%' ORDER BY name)")
	}
	return p.text(tb, "SELECT coalesce(string_agg(tablename, ',' ORDER BY tablename), '') FROM pg_tables"+
		" WHERE schemaname = 'public' AND tablename NOT LIKE 'schema%'")
}

// options returns options for a target.
func (p place) options(tb testing.TB, b *bundle.Bundle, files fs.FS, target string) Options {
	tb.Helper()
	d, err := dburl.Parse(p.url)
	if err != nil {
		tb.Fatal(err)
	}
	return Options{
		Bundle: b, Files: files, Database: d, Target: target, AllowDowngrade: true, Version: "test",
		Catalogs: anyCatalog{}, RetryTimeout: 30 * time.Second,
	}
}

// anyCatalog accepts every catalog.
type anyCatalog struct{}

func (anyCatalog) Compare(context.Context, step.Tx, step.Dialect, string, int, bundle.Birth) (catalog.Difference, bool, error) {
	return catalog.Difference{}, true, nil
}

func (anyCatalog) Locate(_ context.Context, _ step.Tx, _ step.Dialect, _ string, q catalog.Question) (catalog.Position, bool, error) {
	return catalog.Position{Birth: q.Births[0], Version: max(q.Stamp, q.Forced)}, q.Stamp+q.Forced > 0, nil
}

// migrateWith runs once and returns what came of it.
func migrateWith(tb testing.TB, o Options) outcome {
	tb.Helper()
	r, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			tb.Errorf("Closing the runner: %v", err)
		}
	}()
	res, err := r.Run(tb.Context())
	return outcome{Result: res, err: err}
}

func (p place) migrate(tb testing.TB, b *bundle.Bundle, files fs.FS, target string) {
	tb.Helper()
	if got := migrateWith(tb, p.options(tb, b, files, target)); got.err != nil {
		tb.Fatalf("Migrating to %s: %v", target, got.err)
	}
}
