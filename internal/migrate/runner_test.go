package migrate

import (
	"errors"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/result"
)

// outcome is what a run returned.
type outcome struct {
	result.Result
	err error
}

// wantReason checks the class and the reason of a failed run.
func (o outcome) wantReason(tb testing.TB, class result.Outcome, reason result.Reason) {
	tb.Helper()
	_ = o.failure(tb, class, reason)
}

// failure does the same and returns the error.
func (o outcome) failure(tb testing.TB, class result.Outcome, reason result.Reason) *Error {
	tb.Helper()
	var e *Error
	if !errors.As(o.err, &e) {
		tb.Fatalf("the run returned %v, want an *Error", o.err)
	}
	if e.Outcome != class || e.Reason != reason || o.Outcome != class || o.Reason != reason {
		tb.Fatalf("the run ended as %s/%s (%s/%s in the result), want %s/%s: %v",
			e.Outcome, e.Reason, o.Outcome, o.Reason, class, reason, o.err)
	}
	return e
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(4)...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			got := migrateWith(t, p.options(t, b, files, "3"))
			if got.err != nil {
				t.Fatal(got.err)
			}
			if got.From != 0 || got.To != 3 || got.Applied != 3 || got.Birth != "alembic" || got.ID != testID(3) || got.Outcome != result.Done {
				t.Errorf("the result is %+v", got.Result)
			}
			p.want(t, "SELECT count(*) FROM t", "3")
			p.want(t, "SELECT version FROM schema_migrations WHERE NOT dirty", "3")
			p.want(t, "SELECT version_num FROM alembic_version", testID(3))
			p.want(t, "SELECT count(*) FROM schemagate_history WHERE direction = 'up' AND birth = 'alembic' AND schemagate_version = 'test'", "3")

			p.migrate(t, b, files, "latest")
			p.migrate(t, b, files, "latest") // nothing left to do
			p.want(t, "SELECT count(*) FROM schemagate_history", "4")

			p.migrate(t, b, files, testID(2))
			p.want(t, "SELECT count(*) FROM t", "2")
			p.want(t, "SELECT version FROM schema_migrations", "2")
			p.want(t, "SELECT version_num FROM alembic_version", testID(2))

			p.migrate(t, b, files, Empty)
			p.want(t, "SELECT count(*) FROM schema_migrations", "0")
			if tables := p.tables(t); tables != "" {
				t.Errorf("the way down to nothing leaves the tables %s", tables)
			}
			p.migrate(t, b, files, "0.0.3")
			p.want(t, "SELECT count(*) FROM t", "3")
		})
	}
}

func TestTrackingOfBothHistories(t *testing.T) {
	t.Parallel()
	specs := chain(4)
	specs[0].peewee, specs[1].peewee = true, true
	b, files := bundleOf(t, specs...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			names := "SELECT min(name) || ' ' || max(name) || ' ' || count(*) FROM migratehistory"
			p.migrate(t, b, files, "1")
			p.want(t, names, "001_step_1 001_step_1 1")
			p.migrate(t, b, files, "2")
			p.want(t, names, "001_step_1 002_step_2 2")

			// The application has been here: its table would be Alembic's too.
			p.exec(t, "CREATE TABLE alembic_version (version_num varchar(32)); INSERT INTO alembic_version VALUES ('a'), ('b')")
			got := migrateWith(t, p.options(t, b, files, "4"))
			got.wantReason(t, result.Permanent, result.ReasonVersionChangedByOthers)
			if got.Applied != 0 {
				t.Errorf("%d revisions were applied all the same", got.Applied)
			}
			p.exec(t, "DELETE FROM alembic_version") // what Alembic's own way down leaves
			p.migrate(t, b, files, "3")
			p.want(t, "SELECT version_num FROM alembic_version", testID(3))
			p.migrate(t, b, files, "2")
			if tables := p.tables(t); tables != "migratehistory,t" {
				t.Errorf("at the end of Peewee there are the tables %s", tables)
			}
			p.migrate(t, b, files, "4")
			p.want(t, names, "001_step_1 002_step_2 2")
			p.want(t, "SELECT version_num FROM alembic_version", testID(4))
			p.want(t, "SELECT birth FROM schemagate_history WHERE revision = 4", "peewee")
			p.migrate(t, b, files, "1")
			p.want(t, names, "001_step_1 001_step_1 1")
			p.migrate(t, b, files, Empty)
			if tables := p.tables(t); tables != "" {
				t.Errorf("the way down to nothing leaves the tables %s", tables)
			}
		})
	}
}

func TestDowngradeNeedsPermission(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.migrate(t, b, files, "2")
			o := p.options(t, b, files, "1")
			o.AllowDowngrade = false
			migrateWith(t, o).wantReason(t, result.Refused, result.ReasonDowngrade)
			p.want(t, "SELECT version FROM schema_migrations", "2")
		})
	}
}

func TestBadSQL(t *testing.T) {
	t.Parallel()
	specs := append(chain(2), revisionSpec{
		up:   "INSERT INTO t (id) VALUES (99);\n\nINSERT INTO t (id)\n  VALUES (NULL);",
		down: "SELECT 1;",
	})
	b, files := bundleOf(t, specs...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.migrate(t, b, files, "1")
			got := migrateWith(t, p.options(t, b, files, "3"))
			e := got.failure(t, result.Permanent, result.ReasonSQLError)
			if got.To != 2 || got.Applied != 1 || e.Failure.Revision != 3 || e.Failure.Direction != "up" || e.Failure.Line != 4 {
				t.Errorf("the result is %+v, failure %+v", got.Result, e.Failure)
			}
			if strings.HasPrefix(p.url, "postgres") && (e.Failure.SQLState != "23502" || e.Failure.Table != "t" || e.Failure.Column != "id") {
				t.Errorf("the failure is %+v", e.Failure)
			}
			p.want(t, "SELECT version FROM schema_migrations WHERE NOT dirty", "2")
			p.want(t, "SELECT count(*) FROM t WHERE id = 99", "0")
		})
	}
}

func TestBadSQLOnAnEmptyDatabaseLeavesItEmpty(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, append(chain(2), revisionSpec{up: "SELECT\n nonsense;", down: "SELECT 1;"})...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			got := migrateWith(t, p.options(t, b, files, "latest"))
			e := got.failure(t, result.Permanent, result.ReasonSQLError)
			if got.To != 0 || got.Applied != 0 || e.Failure.Revision != 3 {
				t.Errorf("the result is %+v, failure %+v", got.Result, e.Failure)
			}
			if strings.HasPrefix(p.url, "postgres") && e.Failure.Line != 3 {
				t.Errorf("the error is on line %d, want 3, where the server points", e.Failure.Line)
			}
			if tables := p.tables(t); tables != "" {
				t.Errorf("the failed installation leaves the tables %s", tables)
			}
		})
	}
}
