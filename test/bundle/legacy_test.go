package bundle_test

import (
	"testing"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/testing/recorded"
	"github.com/schemagate/schemagate/migrations"
)

// TestLegacyDatabases adopts databases that the application's own tools left at
// an old revision.
func TestLegacyDatabases(t *testing.T) {
	t.Parallel()
	records := recordedFiles(t)
	catalogs, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	stopped := map[string]int{"peewee-005": 5, "peewee-018-no-alembic": 18}
	for _, legacy := range recorded.Legacies(t) {
		name := legacy.Name
		at, ok := stopped[name]
		if !ok {
			continue // It stopped at a revision without files.
		}
		delete(stopped, name)
		for dialect, open := range engines {
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.load(t, legacy.Dump(t, dialect))
				old, before := p.catalog(t), p.rows(t)

				res, err := p.run(t, newest, "", catalogs)
				if err != nil {
					t.Fatal(err)
				}
				if res.AdoptedAt != at || res.To != newest || res.Birth != string(bundle.BirthPeewee) {
					t.Errorf("the result is %+v, want a database adopted at %d and migrated to %d", res, at, newest)
				}
				want, err := recordedCatalog(records, dialect, newest, bundle.BirthPeewee)
				if err != nil {
					t.Fatal(err)
				}
				latest, after := p.catalog(t), p.rows(t)
				compareCatalogs(t, newest, want, latest, true)
				compareKept(t, before.lines(latest), after.lines(old))
				compareRecordedRows(t, p, legacy.After(t, dialect))
			})
		}
	}
	if len(stopped) > 0 {
		t.Errorf("these databases were not recorded: %v", stopped)
	}
}
