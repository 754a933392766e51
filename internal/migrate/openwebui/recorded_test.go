package openwebui

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// TestRecordedCases runs the steps over recorded rows. The columns that their
// revisions fill are the same when all later ones have run.
func TestRecordedCases(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		tables      map[step.Dialect]string
		step, check string
		from, into  string
	}{
		"modelfile": {tables: modelTables, step: "modelfiles_to_models", check: "modelfile_json", from: "modelfile", into: "model"},
		"documents": {tables: documentTables, step: "documents_to_knowledge", check: "document_content_json", from: "document", into: "knowledge"},
	}
	seen := 0
	for _, c := range recorded.Cases(t) {
		prefix, _, _ := strings.Cut(c.Name, "-")
		kind, ok := kinds[prefix]
		if !ok {
			continue
		}
		seen++
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			onEach(t, kind.tables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
				t.Helper()
				exec(t, db, c.Before(t))
				found := check(t, db, dialect, kind.check)
				_, _, err := apply(t, db, dialect, kind.step)
				if c.Outcome[dialect].Result == recorded.ResultRefused {
					if found != 1 {
						t.Errorf("the check found %d rows, want 1", found)
					}
					wantDataError(t, err, kind.from, 1)
				} else if err != nil || found != 0 {
					t.Fatalf("the check found %d rows, and the step: %v", found, err)
				}
				want := c.After(t, dialect)
				got, err := recorded.Dump(t.Context(), db, dialect)
				if err != nil {
					t.Fatal(err)
				}
				keepOnly(kind.into, &want, got)
				for _, difference := range recorded.Compare(want, got) {
					t.Error(difference)
				}
			})
		})
	}
	if seen != 7 {
		t.Errorf("%d cases are about model files and documents, want 7", seen)
	}
}

// keepOnly leaves one table, without the columns that later revisions add.
func keepOnly(table string, want *recorded.Database, got recorded.Database) {
	for name := range got.Tables {
		if name != table {
			delete(got.Tables, name)
		}
	}
	for _, row := range want.Tables[table] {
		delete(row, "is_active")
	}
	want.Tables = map[string][]recorded.Row{table: want.Tables[table]}
}
