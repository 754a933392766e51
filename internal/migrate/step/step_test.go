package step_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// engines are the ways to get an empty database, by engine.
var engines = map[step.Dialect]func(testing.TB) *sql.DB{step.Postgres: openPostgres, step.SQLite: openSQLite}

func openPostgres(tb testing.TB) *sql.DB {
	tb.Helper()
	return postgres.Open(tb, postgres.Shared(tb).NewDatabase(tb))
}

func openSQLite(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", filepath.Join(tb.TempDir(), "t.db"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// begin returns a transaction on a table of n rows, and a run in it.
func begin(t *testing.T, db *sql.DB, dialect step.Dialect, n int) (*sql.Tx, *step.Run) {
	t.Helper()
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	})
	run := step.NewRun(tx, dialect, nil)
	exec(t, tx, `CREATE TABLE "group" (id text PRIMARY KEY, n bigint, "order" text, flag boolean)`)
	var rows [][]any
	for i := range n {
		rows = append(rows, []any{fmt.Sprintf("id-%06d", i), i, "a\tb\\n\n'\"" + strings.Repeat("ø", i%7), i%2 == 0})
	}
	if err := run.Insert(t.Context(), "group", []string{"id", "n", "order", "flag"}, rows); err != nil {
		t.Fatal(err)
	}
	return tx, run
}

func exec(t *testing.T, tx *sql.Tx, query string) {
	t.Helper()
	if _, err := tx.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, tx *sql.Tx, query string) (n int) {
	t.Helper()
	if err := tx.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReadWhileWriting reads a table in batches and changes the very rows that
// are still to be read: each must be seen once, as it was at the beginning.
func TestReadWhileWriting(t *testing.T) {
	t.Parallel()
	const n = 5000
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			tx, run := begin(t, open(t), dialect, n)

			seen, batches := 0, 0
			err := run.Read(t.Context(), `SELECT id, n, "order", flag, NULL FROM "group" ORDER BY id`, func(batch []step.Row) error {
				batches++
				var rows [][]any
				for _, row := range batch {
					id, _ := row.Text(0)
					number, ok := row.Int(1)
					order, _ := row.Text(2)
					flag, _ := row.Bool(3)
					want := "a\tb\\n\n'\"" + strings.Repeat("ø", seen%7)
					if id != fmt.Sprintf("id-%06d", seen) || !ok || number != int64(seen) || order != want || flag != (seen%2 == 0) || !row.IsNull(4) {
						return fmt.Errorf("row %d is %q", seen, row)
					}
					seen++
					rows = append(rows, []any{id, nil, "new"})
				}
				exec(t, tx, fmt.Sprintf(`INSERT INTO "group" (id, n) VALUES ('zz-%d', 0)`, batches))
				return run.Update(t.Context(), "group", []string{"id"}, []string{"n", "order"}, rows)
			})
			if err != nil {
				t.Fatal(err)
			}
			if seen != n || batches < 3 {
				t.Errorf("saw %d rows in %d batches, want %d in several", seen, batches, n)
			}
			if got := count(t, tx, `SELECT count(*) FROM "group" WHERE n IS NULL AND "order" = 'new'`); got != n {
				t.Errorf("%d rows were changed, want %d", got, n)
			}
		})
	}
}

// TestHeavyRows: batches follow the weight of the rows, so that memory does not
// follow the size of the table.
func TestHeavyRows(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			tx, run := begin(t, open(t), dialect, 200)

			exec(t, tx, `UPDATE "group" SET "order" = replace(CAST(300000 + n AS text) || substr('`+strings.Repeat("x", 1000)+`', 1, 1000), 'x', '`+strings.Repeat("y", 300)+`')`)
			largest, last := 0, 0
			err := run.Read(t.Context(), `SELECT "order" FROM "group"`, func(batch []step.Row) error {
				if last > 0 {
					largest = max(largest, len(batch))
				}
				last = len(batch)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if largest > 40 {
				t.Errorf("a batch has %d rows of 300 kB", largest)
			}
		})
	}
}

// TestHeavyRowsAfterLightOnes: after many rows of no weight, the few heavy ones
// that were among them still bound what a batch can hold.
func TestHeavyRowsAfterLightOnes(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			tx, run := begin(t, open(t), dialect, 3000)

			// One megabyte in the first row, and in the last 100.
			exec(t, tx, `UPDATE "group" SET "order" = replace('`+strings.Repeat("x", 1000)+`', 'x', '`+strings.Repeat("y", 1000)+`') WHERE n = 0 OR n >= 2900`)
			heaviest := 0
			err := run.Read(t.Context(), `SELECT "order" FROM "group" ORDER BY n`, func(batch []step.Row) error {
				bytes := 0
				for _, row := range batch {
					text, _ := row.Text(0)
					bytes += len(text)
				}
				heaviest = max(heaviest, bytes)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if heaviest > 33<<20 {
				t.Errorf("a batch has %d megabytes", heaviest>>20)
			}
		})
	}
}

func TestReadEndsWithTheCallbacksError(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			_, run := begin(t, open(t), dialect, 10)

			stop := errors.New("stop")
			for range 2 { // the names of cursors must be free again
				err := run.Read(t.Context(), `SELECT id FROM "group"`, func([]step.Row) error { return stop })
				if !errors.Is(err, stop) {
					t.Errorf("Read() = %v, want the callback's error", err)
				}
			}
		})
	}
}

func TestWritesRefuseWrongWidths(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			tx, run := begin(t, open(t), dialect, 1)

			for name, err := range map[string]error{
				"insert":             run.Insert(t.Context(), "group", []string{"id", "n"}, [][]any{{"a"}}),
				"update":             run.Update(t.Context(), "group", []string{"id"}, []string{"n"}, [][]any{{"a"}}),
				"update without key": run.Update(t.Context(), "group", nil, []string{"n"}, [][]any{{"a"}}),
			} {
				if err == nil {
					t.Errorf("%s: no error", name)
				}
			}
			if err := run.Update(t.Context(), "group", []string{"id", "n"}, []string{"order"}, [][]any{{"id-000000", 0, "x"}, {"id-000000", 1, "y"}, {"none", 0, "z"}}); err != nil {
				t.Fatal(err)
			}
			if n := count(t, tx, `SELECT count(*) FROM "group" WHERE "order" = 'x'`); n != 1 {
				t.Errorf("%d rows match both parts of the key, want 1", n)
			}
		})
	}
}

func TestInsertReportsWhatTheServerRefuses(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			_, run := begin(t, open(t), dialect, 1)

			err := run.Insert(context.WithoutCancel(t.Context()), "group", []string{"id"}, [][]any{{"new"}, {"id-000000"}})
			if err == nil {
				t.Error("a duplicate key was accepted")
			}
		})
	}
}

func TestRowText(t *testing.T) {
	t.Parallel()
	row := step.Row{"s", []byte("b"), int64(7), nil, 1.5}
	var got []string
	for i := range row {
		s, ok := row.Text(i)
		got = append(got, fmt.Sprint(s, ok))
	}
	if diff := cmp.Diff([]string{"strue", "btrue", "7true", "false", "1.5true"}, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}
