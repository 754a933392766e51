package migrate

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// TestStateIsRefused: what others have done to a database is found before
// anything runs.
func TestStateIsRefused(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(4)...)
	tests := map[string]struct {
		// before runs on a database at revision 3, or on an empty one when at is 0.
		at     string
		before string
		class  result.Outcome
		reason result.Reason
		found  string
	}{
		"dirty": {
			at: "3", before: "UPDATE schema_migrations SET dirty = true",
			class: result.Permanent, reason: result.ReasonDirty,
		},
		"ahead of the bundle": {
			at: "3", before: "UPDATE schema_migrations SET version = 5",
			class: result.Permanent, reason: result.ReasonAheadOfBundle,
		},
		"version moved by another tool": {
			at: "3", before: "UPDATE schema_migrations SET version = 2",
			class: result.Permanent, reason: result.ReasonVersionChangedByOthers,
		},
		"version removed by another tool": {
			at: "3", before: "DELETE FROM schemagate_history WHERE revision = 3",
			class: result.Permanent, reason: result.ReasonVersionChangedByOthers,
		},
		"lower revision missing": {
			at: "3", before: "DELETE FROM schemagate_history WHERE revision = 2",
			class: result.Permanent, reason: result.ReasonRevisionMissing,
		},
		"checksum changed": {
			at: "3", before: "UPDATE schemagate_history SET checksum_up = 'other' WHERE revision = 1",
			class: result.Permanent, reason: result.ReasonChecksumMismatch,
		},
		"id changed": {
			at: "3", before: "UPDATE schemagate_history SET id = 'other' WHERE revision = 1",
			class: result.Permanent, reason: result.ReasonChecksumMismatch,
		},
		"application migrated by itself": {
			at: "3", before: "UPDATE alembic_version SET version_num = 'ffffffffffff'",
			class: result.Permanent, reason: result.ReasonVersionChangedByOthers, found: "alembic_version: ffffffffffff",
		},
		"application's table has two rows": {
			at: "3", before: "INSERT INTO alembic_version VALUES ('ffffffffffff')",
			class: result.Permanent, reason: result.ReasonVersionChangedByOthers,
		},
		"tables of someone else": {
			before: "CREATE TABLE a (b integer)",
			class:  result.Permanent, reason: result.ReasonUnknownDatabase, found: "a",
		},
		"golang-migrate's own database": {
			before: "CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (7, false)",
			class:  result.Permanent, reason: result.ReasonUnknownDatabase, found: "schema_migrations",
		},
		"another tool's table of that name": {
			before: "CREATE TABLE schema_migrations (version varchar(255))",
			class:  result.Permanent, reason: result.ReasonUnknownDatabase, found: "schema_migrations",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for engine, open := range engines {
				t.Run(engine, func(t *testing.T) {
					t.Parallel()
					p := open(t)

					if tt.at != "" {
						p.migrate(t, b, files, tt.at)
					}
					p.exec(t, tt.before)
					tables := p.tables(t)
					got := migrateWith(t, p.options(t, b, files, "4"))
					e := got.failure(t, tt.class, tt.reason)
					if tt.found != "" && !cmp.Equal(e.Failure.Found, []string{tt.found}) {
						t.Errorf("found %q, want %q", e.Failure.Found, tt.found)
					}
					if now := p.tables(t); now != tables || got.Applied != 0 {
						t.Errorf("the refusal changed the tables from %s to %s", tables, now)
					}
				})
			}
		})
	}
}

// golang-migrate makes its table whenever it connects; that makes no database
// unknown.
func TestEmptyVersionTableOfGolangMigrate(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.exec(t, "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)")
			p.migrate(t, b, files, "2")
			p.want(t, "SELECT version FROM schema_migrations", "2")
		})
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(4)...)
	ours := Owner{Cluster: "c1", Namespace: "ns", Name: "open-webui", UID: "u1"}
	theirs := Owner{Cluster: "c2", Namespace: "ns", Name: "open-webui", UID: "u2"}
	again := ours // deleted and created again
	again.UID = "u3"
	row := "SELECT cluster || ' ' || namespace || ' ' || name || ' ' || uid FROM schemagate_owner"
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			run := func(target string, owner *Owner, take bool) outcome {
				o := p.options(t, b, files, target)
				o.Owner, o.TakeOwnership = owner, take
				o.Report = func(e Event) {
					if e.Kind == EventApplied && owner != nil { // it is written with the first revision, not after the last
						p.want(t, "SELECT uid FROM schemagate_owner", owner.UID)
					}
				}
				return migrateWith(t, o)
			}
			accept := func(got outcome) {
				t.Helper()
				if got.err != nil {
					t.Fatal(got.err)
				}
			}
			accept(run("1", &ours, false))
			p.want(t, row, "c1 ns open-webui u1")

			run("2", &theirs, false).wantReason(t, result.Refused, result.ReasonDatabaseOwned)
			run("1", &theirs, false).wantReason(t, result.Refused, result.ReasonDatabaseOwned) // nothing to do is no excuse
			run("2", nil, false).wantReason(t, result.Refused, result.ReasonDatabaseOwned)
			p.want(t, "SELECT version FROM schema_migrations", "1")

			accept(run("2", &again, false))
			p.want(t, row, "c1 ns open-webui u3")
			accept(run("2", &theirs, true)) // with nothing else to do
			p.want(t, row, "c2 ns open-webui u2")
			accept(run("3", nil, true))
			p.want(t, "SELECT count(*) FROM schemagate_owner", "0")
			accept(run("4", nil, false))
			accept(run("3", &ours, false))
			p.want(t, row, "c1 ns open-webui u1")
		})
	}
}

func TestAdoption(t *testing.T) {
	t.Parallel()
	specs := chain(5)
	for i := range 3 {
		specs[i].peewee = true
	}
	b, files := bundleOf(t, specs...)
	peewee := trackingAt(b, bundle.BirthPeewee, 3).peewee
	alembic := func(id string) string {
		return "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY); INSERT INTO alembic_version VALUES ('" + id + "');"
	}
	table := "CREATE TABLE t (id integer NOT NULL, c2 integer, c3 integer); INSERT INTO t VALUES (42, 42, 42);"
	tests := map[string]struct {
		peewee   int // rows of migratehistory
		database string
		catalogs Catalogs
		adopt    Adoption
		target   string
		at       int // adopted at; 0 means refused
		birth    string
		class    result.Outcome
		reason   result.Reason
	}{
		"a prefix of Peewee": {
			peewee: 2, database: "CREATE TABLE t (id integer NOT NULL, c2 integer); INSERT INTO t VALUES (42, 42)", target: "4", at: 2, birth: "peewee",
		},
		"all of Peewee":             {peewee: 3, database: table, target: "5", at: 3, birth: "peewee"},
		"Peewee and Alembic":        {peewee: 3, database: alembic(testID(4)) + table + "ALTER TABLE t ADD c4 integer", target: "5", at: 4, birth: "peewee"},
		"Alembic alone":             {database: alembic(testID(5)) + table, target: "5", at: 5, birth: "alembic"},
		"recognized by catalog":     {peewee: 3, database: table, target: "3", catalogs: onlyBirth("peewee-0.9.5"), class: result.Permanent, reason: result.ReasonCatalogDiffers},
		"not allowed":               {peewee: 3, database: table, target: "5", adopt: AdoptNever, class: result.Refused, reason: result.ReasonAdoptionForbidden},
		"no catalog":                {peewee: 3, database: table, target: "5", catalogs: noCatalog{}, class: result.Refused, reason: result.ReasonAdoptionForbidden},
		"catalog differs":           {peewee: 3, database: table, target: "5", catalogs: onlyBirth("none"), class: result.Permanent, reason: result.ReasonCatalogDiffers},
		"unknown Alembic id":        {database: alembic("4fe53821c9e6") + table, target: "5", class: result.Permanent, reason: result.ReasonUnknownDatabase},
		"a revision is vouched for": {peewee: 3, database: table + "ALTER TABLE t ADD c4 integer", target: "5", adopt: "4", at: 4, birth: "peewee"},
		"Alembic before its time": {
			peewee: 2, database: alembic(testID(4)) + table, target: "5", catalogs: onlyBirth("none"),
			class: result.Permanent, reason: result.ReasonCatalogDiffers,
		},
		"a hole in Peewee": {
			peewee: 3, database: table + "DELETE FROM migratehistory WHERE name LIKE '002%'", target: "5", class: result.Permanent, reason: result.ReasonUnknownDatabase,
		},
		"two Alembic rows": {
			database: alembic(testID(4)) + table + "INSERT INTO alembic_version VALUES ('" + testID(5) + "')", target: "5",
			class: result.Permanent, reason: result.ReasonUnknownDatabase,
		},
		"older target": {peewee: 3, database: table, target: "2", at: 3, birth: "peewee"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for engine, open := range engines {
				t.Run(engine, func(t *testing.T) {
					t.Parallel()
					p := open(t)

					if tt.peewee > 0 {
						p.exec(t, strings.Join(writePeewee(p.dialect(), nil, peewee[:tt.peewee]), ";"))
					}
					p.exec(t, tt.database)
					o := p.options(t, b, files, tt.target)
					o.Adopt = tt.adopt
					if tt.catalogs != nil {
						o.Catalogs = tt.catalogs
					}
					got := migrateWith(t, o)
					p.want(t, "SELECT count(*) FROM t WHERE id = 42", "1")
					if tt.at == 0 {
						got.wantReason(t, tt.class, tt.reason)
						if tables := p.tables(t); strings.Contains(tables, tableHistory) {
							t.Errorf("the refusal leaves the tables %s", tables)
						}
						return
					}
					if got.err != nil {
						t.Fatal(got.err)
					}
					if got.From != tt.at || got.AdoptedAt != tt.at || got.Birth != tt.birth || got.To != int(tt.target[0]-'0') {
						t.Errorf("the result is %+v", got.Result)
					}
					p.want(t, "SELECT revision || ' ' || birth FROM schemagate_history WHERE direction = 'adopt'", strconv.Itoa(tt.at)+" "+tt.birth)
					// From now on it is a database like any other.
					p.migrate(t, b, files, "5")
				})
			}
		})
	}
}

// onlyBirth is a catalog that fits one birth.
type onlyBirth bundle.Birth

func (o onlyBirth) Compare(_ context.Context, _ step.Tx, _ step.Dialect, _ string, _ int, birth bundle.Birth) (catalog.Difference, bool, error) {
	if birth == bundle.Birth(o) {
		return catalog.Difference{}, true, nil
	}
	return catalog.Difference{Missing: []string{"table t: column x is missing"}}, true, nil
}

func (o onlyBirth) Locate(_ context.Context, _ step.Tx, _ step.Dialect, _ string, q catalog.Question) (catalog.Position, bool, error) {
	p := catalog.Position{Birth: bundle.Birth(o), Version: max(q.Stamp, 1)}
	if !slices.Contains(q.Births, p.Birth) {
		p.Unfit = []string{"table t: column x is missing"}
	}
	return p, true, nil
}

type noCatalog struct{}

func (noCatalog) Locate(context.Context, step.Tx, step.Dialect, string, catalog.Question) (catalog.Position, bool, error) {
	return catalog.Position{}, false, nil
}

func (noCatalog) Compare(context.Context, step.Tx, step.Dialect, string, int, bundle.Birth) (catalog.Difference, bool, error) {
	return catalog.Difference{}, false, nil
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	specs := chain(4)
	specs[2].preflight = `      - name: odd-rows
        since: 1
        finds: rows that are odd
        remedy: Make them even.
        query: {postgres: "SELECT id FROM t WHERE id > 1000 -- all", sqlite: "SELECT id FROM t WHERE id > 1000"}
        step: count-odd`
	specs[3].preflight = `      - name: late
        since: 3
        finds: rows that are late
        remedy: Be early.
        query: {postgres: SELECT id FROM t WHERE c3 = 3000, sqlite: SELECT id FROM t WHERE c3 = 3000}`
	b, files := bundleOf(t, specs...)
	steps := step.Set{Checks: map[string]step.Check{"count-odd": func(ctx context.Context, run *step.Run) (n int64, err error) {
		err = run.Tx.QueryRowContext(ctx, "SELECT count(*) FROM t WHERE id > 1000").Scan(&n)
		return n, err
	}}}
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.migrate(t, b, files, "1")
			p.exec(t, "INSERT INTO t (id) VALUES (1001), (1002)")
			o := p.options(t, b, files, "4")
			o.Steps = steps
			e := migrateWith(t, o).failure(t, result.Refused, result.ReasonPreflight)
			if diff := cmp.Diff([]result.Check{{Name: "odd-rows", Revision: 3, Rows: 4}}, e.Failure.Checks); diff != "" {
				t.Errorf("failed checks (-want +got):\n%s", diff)
			}
			for _, part := range []string{"4 rows that are odd", "Make them even.", "SELECT id FROM t WHERE id > 1000"} {
				if !strings.Contains(e.Error(), part) {
					t.Errorf("the message lacks %q:\n%s", part, e)
				}
			}
			p.want(t, "SELECT version FROM schema_migrations", "1")

			// A check whose columns do not exist yet runs when they do, and then
			// stops before its own revision.
			p.exec(t, "DELETE FROM t WHERE id > 1000")
			o.Target = "3"
			if got := migrateWith(t, o); got.err != nil {
				t.Fatal(got.err)
			}
			p.migrate(t, b, files, "2")
			o.Target = "4"
			o.Report = func(e Event) {
				if e.Kind == EventApplied && e.Revision == 3 {
					p.exec(t, "UPDATE t SET c3 = 3000 WHERE id = 3")
				}
			}
			got := migrateWith(t, o)
			e = got.failure(t, result.Refused, result.ReasonPreflight)
			if got.To != 3 || len(e.Failure.Checks) != 1 || e.Failure.Checks[0].Name != "late" {
				t.Errorf("the result is %+v, failure %+v", got.Result, e.Failure)
			}
		})
	}
}
