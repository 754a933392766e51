// Package bundle_test runs the SQL files of the bundle open-webui on real
// databases and compares what comes of them with what was recorded of the
// application's own tools.
package bundle_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
	"github.com/schemagate/schemagate/migrations"
)

// walks are the births with their first revision.
var walks = map[bundle.Birth]int{
	bundle.BirthPeewee:    1,
	bundle.BirthPeewee095: 1,
	bundle.BirthAlembic:   19,
}

// TestWalk compares with the catalogs that the bundle carries and, where they
// are at hand, with the recorded ones.
func TestWalk(t *testing.T) {
	t.Parallel()
	var records fs.FS
	if dir, found := recorded.Find(t); found {
		records = os.DirFS(dir)
	}
	carried, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	for birth, first := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				walk(t, records, carried, open(t), birth, first)
			})
		}
	}
}

// walk goes up and down in single steps, to nothing, and up again at once.
func walk(t *testing.T, records fs.FS, carried *catalog.Set, p place, birth bundle.Birth, first int) {
	t.Helper()
	migrate := func(version int, positions bool) {
		t.Helper()
		p.migrate(t, version, birth)
		compareCarried(t, carried, p, version, birth, positions)
		if records != nil {
			compareRecorded(t, records, p, version, birth, positions)
		}
	}
	for version := first; version <= newest; version++ {
		migrate(version, true)
	}
	for version := newest - 1; version >= first; version-- {
		// PostgreSQL adds a column as the last one only.
		migrate(version, p.dialect == step.SQLite)
	}
	migrate(0, true)
	migrate(newest, true)
}

func compareRecorded(t *testing.T, records fs.FS, p place, version int, birth bundle.Birth, positions bool) {
	t.Helper()
	want, err := recordedCatalog(records, p.dialect, version, birth)
	if err != nil {
		t.Fatal(err)
	}
	compareCatalogs(t, version, want, p.catalog(t), positions)
}

func compareCatalogs(t *testing.T, version int, want, got snapshot, positions bool) {
	t.Helper()
	if diff := cmp.Diff(want.lines, got.lines); diff != "" {
		t.Fatalf("the catalog of revision %d differs (-recorded +ours):\n%s", version, diff)
	}
	if !positions {
		return
	}
	if diff := cmp.Diff(want.order, got.order); diff != "" {
		t.Fatalf("the columns of revision %d have another order (-recorded +ours):\n%s", version, diff)
	}
}

// compareCarried reads with the program's own reader.
func compareCarried(t *testing.T, carried *catalog.Set, p place, version int, birth bundle.Birth, positions bool) {
	t.Helper()
	engine := bundle.Engine(p.dialect)
	got, err := catalog.Read(t.Context(), p.db, engine, "")
	if err != nil {
		t.Fatal(err)
	}
	want, known := carried.At(engine, birth, version)
	if version == 0 {
		want, known = &catalog.Catalog{Engine: engine}, true
	}
	if !known {
		t.Fatalf("the bundle carries no catalog of revision %d", version)
	}
	if diff := catalog.Compare(want, got); !diff.Empty() {
		t.Fatalf("the catalog of revision %d is not the one that the bundle carries: %+v", version, diff)
	}
	if !positions {
		return
	}
	// Compare does not look at positions.
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the columns of revision %d have another order (-carried +read):\n%s", version, diff)
	}
}
