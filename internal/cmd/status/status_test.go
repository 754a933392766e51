package status

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/migrations"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	interval := b.Interval(22, bundle.BirthPeewee)
	revision, _ := b.Revision(22)
	tests := map[string]struct {
		state migrate.State
		want  document
		text  []string
	}{
		"empty":   {migrate.State{}, document{State: "empty"}, []string{"none, the database is empty\n"}},
		"missing": {migrate.State{NoFile: true}, document{NoFile: true, State: "empty"}, []string{"none, there is no such file, which counts as an empty database\n"}},
		"unmanaged": {
			migrate.State{Tables: []string{"auth", "chat"}, Peewee: []string{"001_a", "002_b"}, Alembic: []string{"abc"}},
			document{State: "unmanaged", Tables: 2, Peewee: []string{"001_a", "002_b"}, Alembic: []string{"abc"}},
			[]string{"none recorded; 2 tables", "migratehistory: 2 rows, the last is 002_b", "alembic_version: abc"},
		},
		"managed": {
			migrate.State{
				Managed: true, Version: 22, Birth: bundle.BirthPeewee, Tables: []string{"auth"},
				Owner: &migrate.Owner{Cluster: "c", Namespace: "ns", Name: "n", UID: "u"},
			},
			document{
				State: "managed", Version: 22, ID: revision.ID, AppVersion: revision.App.String(), Birth: "peewee", Tables: 1,
				Serves: &serves{From: interval.From, To: interval.To, AppFrom: interval.AppFrom.String(), AppBefore: interval.AppBefore.String()},
				Owner:  &owner{Cluster: "c", Namespace: "ns", Name: "n", UID: "u"},
			},
			[]string{"Revision: 22 (" + revision.ID + ", application ", "Owner: DatabaseSchema ns/n in cluster c"},
		},
		"of a newer program": {
			migrate.State{Managed: true, Version: 1000, Birth: bundle.BirthAlembic},
			document{State: "managed", Version: 1000, Birth: "alembic"},
			[]string{"Revision: 1000"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := describe(b, tt.state)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var out strings.Builder
			if err := got.text(&out, "sqlite:///x.db"); err != nil {
				t.Fatal(err)
			}
			for _, want := range append(tt.text, "Database: sqlite:///x.db") {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the text lacks %q:\n%s", want, out.String())
				}
			}
		})
	}
}
