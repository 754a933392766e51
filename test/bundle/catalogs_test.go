package bundle_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/migrations"
)

var _ migrate.Catalogs = (*catalog.Set)(nil)

// After a change to the SQL files:
//
//	go test ./test/bundle -run TestGeneratedCatalogs -update
var update = flag.Bool("update", false, "write the generated catalogs into the bundle")

// TestGeneratedCatalogs runs every revision for every birth and compares the
// catalogs with those that the bundle carries.
func TestGeneratedCatalogs(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			histories := make(catalog.Histories)
			for birth, first := range walks {
				histories[birth] = history(t, open(t), birth, first)
			}
			engine := bundle.Engine(dialect)
			var got bytes.Buffer
			if err := histories.Encode(&got, engine); err != nil {
				t.Fatal(err)
			}
			if *update {
				writeCatalogs(t, engine, got.Bytes())
				return
			}
			want, err := fs.ReadFile(migrations.OpenWebUI(), catalog.File(engine))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got.Bytes()) {
				t.Errorf("the bundle carries catalogs that are not those of its files; run the test with -update (-carried +made):\n%s",
					cmp.Diff(string(want), got.String()))
			}
		})
	}
}

// history returns the catalog after each revision that has files.
func history(tb testing.TB, p place, birth bundle.Birth, first int) catalog.History {
	tb.Helper()
	out := catalog.History{}
	for version := first; version <= newest; version++ {
		p.migrate(tb, version, birth)
		c, err := catalog.Read(tb.Context(), p.db, bundle.Engine(p.dialect), migrate.DefaultSchema)
		if err != nil {
			tb.Fatalf("Reading the catalog of revision %d: %v", version, err)
		}
		out[version] = c
	}
	return out
}

func writeCatalogs(tb testing.TB, engine bundle.Engine, content []byte) {
	tb.Helper()
	name := filepath.Join("..", "..", "migrations", "open-webui", filepath.FromSlash(catalog.File(engine)))
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// TestCarriedCatalogs looks each revision up: those that have files are known,
// and no others.
func TestCarriedCatalogs(t *testing.T) {
	t.Parallel()
	set, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	for dialect := range engines {
		engine := bundle.Engine(dialect)
		for birth, first := range walks {
			for version := range newest + 2 {
				c, known := set.At(engine, birth, version)
				if want := version >= first && version <= newest; known != want {
					t.Errorf("%s, %s: revision %d is known: %t, want %t", engine, birth, version, known, want)
				}
				if known && c.Tables["chat"] == nil {
					t.Errorf("%s, %s: revision %d has no table chat", engine, birth, version)
				}
			}
		}
	}
}

// TestCarriedCatalogsAreTheRecordedOnes compares with what the application's
// own tools leave.
func TestCarriedCatalogsAreTheRecordedOnes(t *testing.T) {
	t.Parallel()
	records := recordedFiles(t)
	set, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	for dialect := range engines {
		for birth, first := range walks {
			for version := first; version <= newest; version++ {
				name, err := catalogName(records, dialect, version, birth)
				if err != nil {
					t.Fatal(err)
				}
				want, err := catalog.Decode([]byte(readText(t, records, name)))
				if err != nil {
					t.Fatal(err)
				}
				got, known := set.At(bundle.Engine(dialect), birth, version)
				if !known {
					t.Fatalf("%s, %s: the catalog of revision %d is not known", dialect, birth, version)
				}
				if d := catalog.Compare(want, got); !d.Empty() {
					t.Errorf("%s, %s: revision %d differs: %+v", dialect, birth, version, d)
				}
			}
		}
	}
}

// TestCarriedCatalogsFindDrift compares a database with them through the
// engine's interface.
func TestCarriedCatalogsFindDrift(t *testing.T) {
	t.Parallel()
	set, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, newest, bundle.BirthPeewee)
			compare := func(version int, birth bundle.Birth) ([]string, bool) {
				t.Helper()
				difference, known, err := set.Compare(t.Context(), p.db, p.dialect, migrate.DefaultSchema, version, birth)
				if err != nil {
					t.Fatal(err)
				}
				return difference.Drift(), known
			}
			if differences, known := compare(newest, bundle.BirthPeewee); !known || len(differences) > 0 {
				t.Errorf("fresh: known %t, differences %q", known, differences)
			}
			if differences, known := compare(newest, bundle.BirthAlembic); !known || len(differences) == 0 {
				t.Errorf("as another birth: known %t, differences %q", known, differences)
			}
			if _, known := compare(newest+1, bundle.BirthPeewee); known {
				t.Error("a revision without files is known")
			}
			p.load(t, `CREATE TABLE mine (id integer); ALTER TABLE memory ADD COLUMN mine text; DROP INDEX memory_id`)
			want := map[step.Dialect][]string{
				step.Postgres: {"table memory: index memory_id is missing (CREATE UNIQUE INDEX memory_id ON memory USING btree (id))"},
				step.SQLite:   {"table memory: index memory_id is missing (CREATE UNIQUE INDEX memory_id ON memory (id))"},
			}[dialect]
			if differences, _ := compare(newest, bundle.BirthPeewee); !slices.Equal(differences, want) {
				t.Errorf("after changes: %q, want %q", differences, want)
			}
		})
	}
}

func TestBookkeepingIsTheEngines(t *testing.T) {
	t.Parallel()
	got, want := catalog.Bookkeeping(), migrate.BookkeepingTables()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tables that catalogs leave out are not the engine's (-engine +catalog):\n%s", diff)
	}
}
