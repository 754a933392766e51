package bundle_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/migrations"
)

// damaged is a database at revision 60 that somebody has changed, and what a
// verification says of it.
type damaged struct {
	damage           string
	only             step.Dialect
	missing, changed int
	extra, additions []string
	empty            int
	reason           result.Reason // why it is not repaired
}

// TestRepair verifies databases that have been changed, and repairs those that
// additions repair.
func TestRepair(t *testing.T) {
	t.Parallel()
	catalogs, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]damaged{
		"nothing": {},
		"objects of others": {
			damage: "CREATE TABLE vectors (id text); CREATE INDEX mine ON note (title);", extra: []string{"table note: index mine", "table vectors"},
		},
		"an index and a column": {
			damage:  "DROP INDEX folder_id_idx; ALTER TABLE chat DROP COLUMN summary;",
			missing: 2, additions: []string{"table chat: column summary", "table chat: index folder_id_idx"},
		},
		"a table with rows": {damage: "DROP TABLE chat_message;", missing: 1, additions: []string{"table chat_message"}, empty: 1},
		"a type": {
			damage: "DROP TABLE tag; ALTER TABLE note ALTER COLUMN title TYPE varchar(10);", only: step.Postgres,
			missing: 1, changed: 1, additions: []string{"table tag"}, reason: result.ReasonCatalogDiffers,
		},
	}
	for name, test := range tests {
		for dialect, open := range engines {
			if test.only != "" && test.only != dialect {
				continue
			}
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				test.run(t, open(t), catalogs)
			})
		}
	}
}

func (d damaged) run(t *testing.T, p place, catalogs *catalog.Set) {
	t.Helper()
	p.migrate(t, 60, bundle.BirthPeewee)
	p.load(t, d.damage)
	before := p.catalog(t)
	o := p.options(t, newest, "", catalogs)
	d.verify(t, o)

	var err error
	with(t, o, func(r *migrate.Runner) { _, err = r.Repair(t.Context()) })
	if d.reason != "" {
		adoption{reason: d.reason}.wantRefusal(t, err)
		if diff := cmp.Diff(before.lines, p.catalog(t).lines); diff != "" {
			t.Errorf("the refusal changes the database:\n%s", diff)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	damaged{extra: d.extra}.verify(t, o)
	if res, err := p.run(t, newest, "", catalogs); err != nil || res.To != newest || res.Drift != nil {
		t.Errorf("migrating on: %+v, %v", res, err)
	}
}

// verify looks at what a verification says.
func (d damaged) verify(t *testing.T, o migrate.Options) {
	t.Helper()
	with(t, o, func(r *migrate.Runner) {
		v, err := r.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(v.Additions)
		if !v.Managed || v.Revision != 60 || len(v.Difference.Missing) != d.missing || len(v.Difference.Changed) != d.changed ||
			len(v.Empty) != d.empty || v.Drifted() != (d.missing+d.changed > 0) {
			t.Errorf("the verification says %+v", v.Difference)
		}
		if diff := cmp.Diff(d.extra, v.Difference.Extra) + cmp.Diff(d.additions, v.Additions); diff != "" {
			t.Errorf("extra or additions (-want +got):\n%s", diff)
		}
	})
}

// TestDriftPolicies migrates a database that has drifted.
func TestDriftPolicies(t *testing.T) {
	t.Parallel()
	catalogs, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[migrate.DriftPolicy]struct {
		to    int
		drift bool
	}{
		migrate.DriftIgnore: {to: 62}, migrate.DriftWarn: {to: 62, drift: true}, migrate.DriftBlock: {to: 60, drift: true},
	} {
		for dialect, open := range engines {
			t.Run(string(policy)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 60, bundle.BirthAlembic)
				p.load(t, "DROP INDEX folder_id_idx;")
				o := p.options(t, 62, "", catalogs)
				o.Drift = policy
				var res result.Result
				var err error
				with(t, o, func(r *migrate.Runner) { res, err = r.Run(t.Context()) })
				if res.To != want.to || res.Drift != nil != want.drift {
					t.Errorf("the result is %+v, %v", res, err)
				}
				var e *migrate.Error
				if blocked := errors.As(err, &e) && e.Reason == result.ReasonDrifted; blocked != (want.to == 60) {
					t.Errorf("blocked: %t, %v", blocked, err)
				}
				if want.drift && (res.Drift.Count != 1 || !strings.Contains(res.Drift.Differences[0], "folder_id_idx")) {
					t.Errorf("the drift is %+v", res.Drift)
				}
				// A look at a database that has drifted is not refused.
				o.Target = "60"
				if want.to == 60 {
					with(t, o, func(r *migrate.Runner) { res, err = r.Run(t.Context()) })
					if err != nil || res.Drift == nil {
						t.Errorf("a look: %+v, %v", res, err)
					}
				}
			})
		}
	}
}
