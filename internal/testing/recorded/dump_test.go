package recorded

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "t.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// TestDump has columns of all types that the application has.
func TestDump(t *testing.T) {
	t.Parallel()
	const rows = `"group": [
		{"id": "a", "n": 1, "big": 9007199254740993, "yes": true, "f": 1.5, "j": {"$json": {"a": [1, 1.0, "\u00e4"]}}, "d": "2024-09-01", "at": "2024-09-01 10:00:00", "s": {"$text_json": {"a": 1}}},
		{"id": "b", "n": null, "big": null, "yes": false, "f": null, "j": {"$json": null}, "d": null, "at": null, "s": ""},
		{"id": "c", "n": null, "big": null, "yes": null, "f": null, "j": null, "d": null, "at": null, "s": null}]`
	const insert = `CREATE TABLE bare (id text);
		CREATE TABLE alembic_version (version_num text); CREATE TABLE schema_migrations (version bigint);
		INSERT INTO "group" VALUES ('a', 1, 9007199254740993, true, 1.5, '{"a":[1,1.0,"ä"]}', '2024-09-01', '2024-09-01 10:00:00', '{"a" : 1}');
		INSERT INTO "group" VALUES ('b', NULL, NULL, false, NULL, 'null', NULL, NULL, '');
		INSERT INTO "group" VALUES ('c', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`
	tests := map[step.Dialect]struct {
		open   func(t *testing.T) *sql.DB
		create string
	}{
		step.Postgres: {
			open: func(t *testing.T) *sql.DB {
				t.Helper()
				return postgres.Open(t, postgres.Shared(t).NewDatabase(t))
			},
			create: `CREATE SCHEMA other; CREATE TABLE other.secret (id text);
				CREATE TABLE "group" (id varchar(255), n integer, gone text, big bigint, yes boolean, f double precision, j json, d date, at timestamp, s text);
				ALTER TABLE "group" DROP COLUMN gone;`,
		},
		step.SQLite: {
			open: openSQLite,
			create: `CREATE TABLE sequence (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO sequence VALUES (1); DROP TABLE sequence;
				CREATE TABLE "group" (id VARCHAR(255), n INTEGER, big BIGINT, yes BOOLEAN, f REAL, j JSON, d DATE, at DATETIME, s TEXT);`,
		},
	}
	for dialect, tt := range tests {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			db := tt.open(t)
			exec(t, db, tt.create)
			exec(t, db, insert)
			got, err := Dump(t.Context(), db, dialect)
			if err != nil {
				t.Fatal(err)
			}
			for _, difference := range Compare(parse(t, rows), got) {
				t.Error(difference)
			}
			exec(t, db, `UPDATE "group" SET j = '{"a":[1,1,"ä"]}' WHERE id = 'a'`)
			if got, err = Dump(t.Context(), db, dialect); err != nil {
				t.Fatal(err)
			}
			if differences := Compare(parse(t, rows), got); len(differences) != 1 {
				t.Errorf("after a change the differences are %q", differences)
			}
		})
	}
}

// TestDumpSQLiteJSON: SQLite keeps numbers in a JSON column as numbers, and
// whatever else in it, too.
func TestDumpSQLiteJSON(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	exec(t, db, `CREATE TABLE bare (id TEXT); CREATE TABLE t (id INTEGER, j JSON);
		INSERT INTO t VALUES (1, '7'), (2, '1.5'), (3, '[NaN]'), (4, 'not JSON'), (5, '"7"')`)
	got, err := Dump(t.Context(), db, step.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `"t": [{"id": 1, "j": {"$json": 7}}, {"id": 2, "j": {"$json": 1.5}}, {"id": 3, "j": {"$json": [{"$nonfinite": "NaN"}]}},
		{"id": 4, "j": "not JSON"}, {"id": 5, "j": {"$json": "7"}}]`)
	for _, difference := range Compare(want, got) {
		t.Error(difference)
	}
	exec(t, db, `INSERT INTO t VALUES (6, x'00')`)
	if got, err := Dump(t.Context(), db, step.SQLite); err != nil || len(Compare(want, got)) != 1 {
		t.Errorf("a blob is not seen: %v", err)
	}
}

// TestRecords reads everything there is about cases.
func TestRecords(t *testing.T) {
	t.Parallel()
	for _, c := range Cases(t) {
		for dialect, outcome := range c.Outcome {
			if outcome.Result != ResultOK && (outcome.Result != ResultRefused || outcome.Error == "") {
				t.Errorf("%s: the outcome is %+v", c.Name, outcome)
			}
			if d := c.After(t, dialect); len(d.Tables) < 5 || c.LoadAt.Order < 1 || c.Before(t) == "" {
				t.Errorf("%s: %d tables, loaded at %d", c.Name, len(d.Tables), c.LoadAt.Order)
			}
		}
	}
	if c := LoadCase(t, "tags-migrate"); len(c.After(t, step.Postgres).Unordered) != 1 {
		t.Errorf("%s has no list without an order", c.Name)
	}
}

func TestLegacyRecords(t *testing.T) {
	t.Parallel()
	for _, l := range Legacies(t) {
		for _, dialect := range []step.Dialect{step.Postgres, step.SQLite} {
			if d := l.After(t, dialect); len(d.Tables) < 30 || l.Dump(t, dialect) == "" || l.Catalog(t, dialect) == l.CatalogAfter(t, dialect) || l.StoppedAt == "" {
				t.Errorf("%s: %d tables", l.Name, len(d.Tables))
			}
		}
	}
}

// TestLegacyDump loads a recorded database and finds in it what the records of
// a later point do not have.
func TestLegacyDump(t *testing.T) {
	t.Parallel()
	for _, l := range Legacies(t) {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			db := openSQLite(t)
			exec(t, db, l.Dump(t, step.SQLite))
			got, err := Dump(t.Context(), db, step.SQLite)
			if err != nil {
				t.Fatal(err)
			}
			if len(Compare(l.After(t, step.SQLite), got)) == 0 {
				t.Error("an old database is the same as a new one")
			}
		})
	}
}
