package catalog_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/migrations"
)

var births = []bundle.Birth{bundle.BirthPeewee, bundle.BirthPeewee095, bundle.BirthAlembic}

func carried(tb testing.TB) *catalog.Set {
	tb.Helper()
	set, err := catalog.LoadSet(migrations.OpenWebUI())
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// each runs a test on an empty database of either engine.
func each(t *testing.T, test func(t *testing.T, engine bundle.Engine, db *sql.DB)) {
	t.Helper()
	t.Run(string(bundle.Postgres), func(t *testing.T) {
		t.Parallel()
		test(t, bundle.Postgres, newPostgres(t))
	})
	t.Run(string(bundle.SQLite), func(t *testing.T) {
		t.Parallel()
		test(t, bundle.SQLite, newSQLite(t))
	})
}

// try calls fn in a transaction that leaves nothing behind.
func try(t *testing.T, db *sql.DB, fn func(tx *sql.Tx)) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	fn(tx)
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// repair carries a repair out.
func repair(t *testing.T, q execer, plan catalog.Repair) {
	t.Helper()
	for _, a := range plan.Additions {
		for _, statement := range a.SQL {
			if _, err := q.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v, in\n%s", a.Object, err, statement)
			}
		}
	}
}

// TestRepairMakesEveryCatalog makes every catalog there is out of nothing.
func TestRepairMakesEveryCatalog(t *testing.T) {
	t.Parallel()
	set := carried(t)
	each(t, func(t *testing.T, engine bundle.Engine, db *sql.DB) {
		t.Helper()
		made := map[string]bool{}
		for _, birth := range births {
			for version := range 76 {
				want, ok := set.At(engine, birth, version+1)
				if !ok || made[want.Fingerprint()] {
					continue
				}
				made[want.Fingerprint()] = true
				plan := catalog.PlanRepair(want, &catalog.Catalog{Engine: engine}, nil)
				if len(plan.Refused)+len(plan.Rebuilds) > 0 {
					t.Fatalf("%s %d: refused %q, rebuilds %q", birth, version+1, plan.Refused, plan.Rebuilds)
				}
				try(t, db, func(tx *sql.Tx) {
					repair(t, tx, plan)
					if d := catalog.Compare(want, read(t, tx, engine, "")); !d.Empty() {
						t.Errorf("%s %d: %+v", birth, version+1, d)
					}
				})
			}
		}
		if len(made) < 150 {
			t.Errorf("only %d catalogs were made", len(made))
		}
	})
}

// TestRepairAddsWhatIsMissing takes every table, column and index away in turn.
func TestRepairAddsWhatIsMissing(t *testing.T) {
	t.Parallel()
	set := carried(t)
	initial := func(_, column string) (string, bool) { return "0", column == "joined_at" || column == "updated_at" }
	each(t, func(t *testing.T, engine bundle.Engine, db *sql.DB) {
		t.Helper()
		want, _ := set.At(engine, bundle.BirthPeewee, 76)
		repair(t, db, catalog.PlanRepair(want, &catalog.Catalog{Engine: engine}, nil))
		mended := 0
		for _, name := range slices.Sorted(maps.Keys(want.Tables)) {
			for _, damage := range damages(engine, name, want.Tables[name]) {
				try(t, db, func(tx *sql.Tx) { mended += testDamage(t, tx, want, damage, initial) })
			}
		}
		if mended < 150 {
			t.Errorf("only %d damages were mended", mended)
		}
	})
}

// damages are statements that take a part of a table away, or all of it.
func damages(engine bundle.Engine, name string, table *catalog.Table) (out []string) {
	cascade := ""
	if engine == bundle.Postgres {
		cascade = " CASCADE"
	}
	for _, c := range table.Columns {
		out = append(out, fmt.Sprintf("ALTER TABLE %q DROP COLUMN %q%s", name, c.Name, cascade))
	}
	for _, i := range table.Indexes {
		if i.Name != "" && !i.BacksConstraint {
			out = append(out, fmt.Sprintf("DROP INDEX %q%s", i.Name, cascade))
		}
	}
	return append(out, fmt.Sprintf("DROP TABLE %q%s", name, cascade))
}

// testDamage returns how many damages were mended, which is one or none.
func testDamage(t *testing.T, tx *sql.Tx, want *catalog.Catalog, damage string, initial catalog.Initial) int {
	t.Helper()
	if _, err := tx.ExecContext(t.Context(), damage); err != nil {
		if want.Engine == bundle.SQLite && strings.Contains(damage, "DROP COLUMN") {
			return 0 // SQLite drops no column that is part of anything
		}
		t.Fatalf("%s: %v", damage, err)
	}
	plan := catalog.PlanRepair(want, read(t, tx, want.Engine, ""), initial)
	if len(plan.Refused) > 0 {
		for _, refusal := range plan.Refused {
			if !strings.Contains(refusal, "NOT NULL") {
				t.Errorf("%s: refused: %s", damage, refusal)
			}
		}
		return 0
	}
	repair(t, tx, plan)
	if left := catalog.Compare(want, read(t, tx, want.Engine, "")); !left.Empty() {
		t.Errorf("%s: left %+v", damage, left)
	}
	return 1
}

// TestRebuildKeepsRows builds a table of SQLite anew that has rows, an index of
// the user's, and lacks two columns and a key.
func TestRebuildKeepsRows(t *testing.T) {
	t.Parallel()
	want := &catalog.Catalog{Engine: bundle.SQLite, Tables: map[string]*catalog.Table{"t": {
		Columns: []catalog.Column{
			{Name: "id", Position: 1, Type: "INTEGER", NotNull: true},
			{Name: "flag", Position: 2, Type: "BOOLEAN", NotNull: true},
			{Name: "more", Position: 3, Type: "TEXT", Default: "'x'"},
			{Name: "name", Position: 4, Type: "TEXT"},
		},
		PrimaryKey: &catalog.Key{Name: "pk_t", Columns: []string{"id"}},
	}}}
	db := newSQLite(t)
	exec(t, db, `CREATE TABLE t (id INTEGER NOT NULL, name TEXT); CREATE INDEX mine ON t (name);
		INSERT INTO t VALUES (3, 'c'), (1, 'a'), (2, NULL)`)
	initial := func(table, column string) (string, bool) { return "FALSE", table+column == "tflag" }
	plan := catalog.PlanRepair(want, read(t, db, bundle.SQLite, ""), initial)
	if !slices.Equal(plan.Rebuilds, []string{"t"}) || len(plan.Refused) > 0 {
		t.Fatalf("the plan is %+v", plan)
	}
	repair(t, db, plan)
	if d := catalog.Compare(want, read(t, db, bundle.SQLite, "")); !slices.Equal(d.Extra, []string{"table t: index mine"}) || len(d.Drift()) > 0 {
		t.Errorf("left %+v", d)
	}
	var got string
	if err := db.QueryRowContext(t.Context(), `SELECT group_concat(id || flag || more || coalesce(name, '-')) FROM t`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != "10xa,20x-,30xc" {
		t.Errorf("the rows are %s", got)
	}

	exec(t, db, `DROP TABLE t; CREATE TABLE t (id INTEGER NOT NULL, own TEXT)`)
	if plan := catalog.PlanRepair(want, read(t, db, bundle.SQLite, ""), initial); len(plan.Refused) != 1 || !strings.Contains(plan.Refused[0], "own") {
		t.Errorf("a user's column is in the way: %+v", plan)
	}
}
