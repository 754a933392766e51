package catalog_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

var bothEngines = []bundle.Engine{bundle.Postgres, bundle.SQLite}

// recordedFiles returns the files of the recorded facts about the application's
// database that match a pattern.
func recordedFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recorded.Dir(t), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("No recorded file is named %s (%v)", pattern, err)
	}
	return files
}

func decodeFile(t *testing.T, name string) *catalog.Catalog {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

func TestDecodeRecordedCatalogs(t *testing.T) {
	t.Parallel()
	for _, engine := range bothEngines {
		for _, name := range recordedFiles(t, "golden*/"+string(engine)+"/*.json") {
			c := decodeFile(t, name)
			if c.Engine != engine || len(c.Tables) < 8 {
				t.Errorf("%s: engine %s, %d tables", name, c.Engine, len(c.Tables))
			}
			if d := catalog.Compare(c, c); !d.Empty() {
				t.Errorf("%s differs from itself: %+v", name, d)
			}
			for _, table := range catalog.Bookkeeping() {
				if c.Tables[table] != nil {
					t.Errorf("%s: the table %s is part of the catalog", name, table)
				}
			}
		}
	}
}

// The births of adopted databases are told apart by nothing but this.
func TestRecordedBirthsDiffer(t *testing.T) {
	t.Parallel()
	for _, engine := range bothEngines {
		for _, other := range []string{"golden-via-0.9.5", "golden-alembic-only"} {
			for _, name := range recordedFiles(t, other+"/"+string(engine)+"/*.json") {
				a, b := decodeFile(t, strings.Replace(name, other, "golden", 1)), decodeFile(t, name)
				for _, drift := range [][]string{catalog.Compare(a, b).Drift(), catalog.Compare(b, a).Drift()} {
					if len(drift) == 0 {
						t.Errorf("%s is taken for that of another birth", name)
					}
				}
				if a.Fingerprint() == b.Fingerprint() {
					t.Errorf("%s has the fingerprint of another birth", name)
				}
			}
		}
	}
}

// What this package reads from a database is what the application's own tools
// see in it.
func TestReadRecordedDatabases(t *testing.T) {
	t.Parallel()
	open := map[bundle.Engine]func(*testing.T) *sql.DB{bundle.Postgres: newPostgres, bundle.SQLite: newSQLite}
	for _, engine := range bothEngines {
		for _, dump := range recordedFiles(t, "legacy/*/dump."+string(engine)+".sql") {
			dir := filepath.Dir(dump)
			t.Run(filepath.Base(dir)+"/"+string(engine), func(t *testing.T) {
				t.Parallel()
				db := open[engine](t)
				script, err := os.ReadFile(dump)
				if err != nil {
					t.Fatal(err)
				}
				exec(t, db, string(script))
				want := decodeFile(t, filepath.Join(dir, "catalog."+string(engine)+".json"))
				got := read(t, db, engine, "public")
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("the catalog is not the recorded one (-want +got):\n%s", diff)
				}
				if d := catalog.Compare(want, got); !d.Empty() {
					t.Errorf("the catalog differs from the recorded one: %+v", d)
				}
				if want.Fingerprint() != got.Fingerprint() {
					t.Error("the fingerprint differs from that of the recorded catalog")
				}
			})
		}
	}
}

// Every recorded catalog survives being written and read back.
func TestEncodeRecordedCatalogs(t *testing.T) {
	t.Parallel()
	for _, engine := range bothEngines {
		want := catalog.Histories{bundle.BirthPeewee: {}, bundle.BirthPeewee095: {}, bundle.BirthAlembic: {}}
		for birth, dir := range map[bundle.Birth]string{
			bundle.BirthPeewee: "golden", bundle.BirthPeewee095: "golden-via-0.9.5", bundle.BirthAlembic: "golden-alembic-only",
		} {
			for i, name := range slices.Sorted(slices.Values(recordedFiles(t, dir+"/"+string(engine)+"/*.json"))) {
				want[birth][i+1] = decodeFile(t, name)
			}
		}
		var first, second strings.Builder
		if err := want.Encode(&first, engine); err != nil {
			t.Fatal(err)
		}
		got, err := catalog.DecodeHistories([]byte(first.String()), engine)
		if err != nil {
			t.Fatal(err)
		}
		for birth, history := range want {
			for version, c := range history {
				if d := catalog.Compare(c, got[birth][version]); !d.Empty() {
					t.Errorf("birth %s at %d differs: %+v", birth, version, d)
				}
			}
		}
		if err := got.Encode(&second, engine); err != nil {
			t.Fatal(err)
		}
		if first.String() != second.String() {
			t.Error("encoding again gives other bytes")
		}
		t.Logf("All catalogs of %s take %d bytes", engine, first.Len())
	}
}
