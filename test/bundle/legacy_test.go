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
	type origin struct {
		at    int
		birth bundle.Birth
	}
	stopped := map[string]origin{
		"peewee-005":                     {5, bundle.BirthPeewee},
		"peewee-018-no-alembic":          {18, bundle.BirthPeewee},
		"v0.6-9f0c9cd09105":              {34, bundle.BirthPeewee},
		"v0.9.5-installed-before-0.6.41": {60, bundle.BirthPeewee},
		"v0.9.6-alembic-only":            {62, bundle.BirthAlembic},
	}
	for _, legacy := range recorded.Legacies(t) {
		name := legacy.Name
		origin, ok := stopped[name]
		if !ok {
			t.Errorf("nobody knows where %s has stopped", name)
			continue
		}
		delete(stopped, name)
		for dialect, open := range engines {
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.load(t, legacy.Dump(t, dialect))
				res, err := p.run(t, newest, "", catalogs)
				if err != nil {
					t.Fatal(err)
				}
				if res.AdoptedAt != origin.at || res.To != newest || res.Birth != string(origin.birth) {
					t.Errorf("the result is %+v, want a database adopted at %d and migrated to %d", res, origin.at, newest)
				}
				want, err := recordedCatalog(records, dialect, newest, origin.birth)
				if err != nil {
					t.Fatal(err)
				}
				compareCatalogs(t, newest, want, p.catalog(t), false)
				compareRecordedRows(t, p, legacy.After(t, dialect))
			})
		}
	}
	if len(stopped) > 0 {
		t.Errorf("these databases were not recorded: %v", stopped)
	}
}
