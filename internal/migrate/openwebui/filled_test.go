package openwebui

import (
	"database/sql"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// configTables is config before revision 63.
var configTables = map[step.Dialect]string{
	step.Postgres: `CREATE TABLE config (id serial PRIMARY KEY, data json NOT NULL, version integer NOT NULL,
		created_at timestamp NOT NULL DEFAULT now(), updated_at timestamp DEFAULT now());`,
	step.SQLite: `CREATE TABLE config (id INTEGER NOT NULL PRIMARY KEY, data JSON NOT NULL, version INTEGER NOT NULL,
		created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);`,
}

// reshapeConfig is what the file of revision 63 does before its step.
const reshapeConfig = `ALTER TABLE config RENAME TO config_old;
	CREATE TABLE config ("key" text NOT NULL PRIMARY KEY, value json NOT NULL, updated_at bigint);`

// TestRecordedFills runs the steps of later revisions over recorded rows, and
// compares the columns that they fill.
func TestRecordedFills(t *testing.T) {
	t.Parallel()
	kinds := map[int]struct {
		tables         map[step.Dialect]string
		check, prepare string
		step, table    string
		columns        []string
	}{
		62: {configTables, "config_document", reshapeConfig, "config_to_rows", "config", []string{"key", "value"}},
		67: {chatTables, "chat_current_message", "", "chat_current_message", "chat", []string{"id", "current_message_id"}},
		74: {oauthTables, "", "", "repair_user_oauth", "user", []string{"id", "oauth"}},
		75: {chatTables, "", "", "chat_timers", "chat", []string{"id", "timer_at"}},
	}
	outcomes := map[string]int{}
	for _, c := range recorded.Cases(t) {
		kind, ok := kinds[c.LoadAt.Order]
		if !ok {
			continue
		}
		outcomes[c.Outcome[step.Postgres].Result]++
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			onEach(t, kind.tables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
				t.Helper()
				exec(t, db, c.Before(t))
				var found int64
				if kind.check != "" {
					found = check(t, db, dialect, kind.check)
				}
				exec(t, db, kind.prepare)
				_, _, err := apply(t, db, dialect, kind.step)
				if c.Outcome[dialect].Result == recorded.ResultRefused {
					if found != 1 {
						t.Errorf("the check found %d rows, want 1", found)
					}
					wantDataError(t, err, kind.table, 1)
					return
				}
				if err != nil || found != 0 {
					t.Fatalf("the check found %d rows, and the step: %v", found, err)
				}
				want := c.After(t, dialect)
				got, err := recorded.Dump(t.Context(), db, dialect)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range []*recorded.Database{&want, &got} {
					keepColumns(d, kind.table, kind.columns)
				}
				for _, difference := range recorded.Compare(want, got) {
					t.Error(difference)
				}
			})
		})
	}
	if outcomes[recorded.ResultOK] != 6 || outcomes[recorded.ResultRefused] != 2 {
		t.Errorf("the outcomes of the cases are %v, want 6 that are ok and 2 that are refused", outcomes)
	}
}

// keepColumns leaves some columns of one table.
func keepColumns(d *recorded.Database, table string, columns []string) {
	var kept []recorded.Row
	for _, row := range d.Tables[table] {
		out := recorded.Row{}
		for _, name := range columns {
			out[name] = row[name]
		}
		kept = append(kept, out)
	}
	d.Tables = map[string][]recorded.Row{table: kept}
}
