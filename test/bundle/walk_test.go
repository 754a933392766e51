// Package bundle_test runs the SQL files of the bundle open-webui on real
// databases and compares what comes of them with what was recorded of the
// application's own tools.
package bundle_test

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// walks are the births with their first revision.
var walks = map[bundle.Birth]int{
	bundle.BirthPeewee:    1,
	bundle.BirthPeewee095: 1,
	bundle.BirthAlembic:   19,
}

func TestWalk(t *testing.T) {
	t.Parallel()
	records := recordedFiles(t)
	for birth, first := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				walk(t, records, open(t), birth, first)
			})
		}
	}
}

// walk goes up and down in single steps, to nothing, and up again at once.
func walk(t *testing.T, records fs.FS, p place, birth bundle.Birth, first int) {
	t.Helper()
	migrate := func(version int, positions bool) {
		t.Helper()
		p.migrate(t, version, birth)
		want, err := recordedCatalog(records, p.dialect, version, birth)
		if err != nil {
			t.Fatal(err)
		}
		compareCatalogs(t, version, want, p.catalog(t), positions)
		compareAsProgram(t, records, p, version, birth)
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

// compareAsProgram compares with the program's own reader.
func compareAsProgram(t *testing.T, records fs.FS, p place, version int, birth bundle.Birth) {
	t.Helper()
	if version == 0 {
		return
	}
	name, err := catalogName(records, p.dialect, version, birth)
	if err != nil {
		t.Fatal(err)
	}
	want, err := catalog.Decode([]byte(readText(t, records, name)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Read(t.Context(), p.db, bundle.Engine(p.dialect), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := catalog.Compare(want, got); !diff.Empty() {
		t.Fatalf("to the program the catalog of revision %d differs: %+v", version, diff)
	}
}
