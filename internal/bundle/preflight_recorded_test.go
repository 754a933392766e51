package bundle

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
)

// catalog is as much of a recorded catalog as is needed to make its tables.
type catalog struct {
	Tables map[string]struct {
		Columns []struct {
			Name    string  `json:"name"`
			Type    string  `json:"type"`
			NotNull bool    `json:"not_null"`
			Default *string `json:"default"`
		} `json:"columns"`
	} `json:"tables"`
}

// create returns the statements that make the tables of a catalog, without
// their keys.
func (c catalog) create(wanted func(table string) bool) string {
	var script strings.Builder
	for name, table := range c.Tables {
		if !wanted(name) {
			continue
		}
		var columns []string
		for _, column := range table.Columns {
			line := fmt.Sprintf("%q %s", column.Name, column.Type)
			switch {
			case column.Default == nil:
			case strings.HasPrefix(*column.Default, "nextval("):
				line = fmt.Sprintf("%q serial", column.Name)
			default:
				line += " DEFAULT " + *column.Default
			}
			if column.NotNull && column.Name != "id" { // SQLite fills integer keys itself
				line += " NOT NULL"
			}
			columns = append(columns, line)
		}
		fmt.Fprintf(&script, "CREATE TABLE %q (%s);\n", name, strings.Join(columns, ", "))
	}
	return script.String()
}

// histories are where the catalogs of the two histories are recorded.
var histories = map[string]Birth{
	"golden":              BirthPeewee,
	"golden-alembic-only": BirthAlembic,
}

// recordedCatalog returns the catalog after a revision.
func recordedCatalog(tb testing.TB, facts fs.FS, history string, engine Engine, version int) catalog {
	tb.Helper()
	names, err := fs.Glob(facts, path.Join(history, string(engine), padded(version)+"-*.json"))
	if err != nil || len(names) != 1 {
		tb.Fatalf("Looking for the catalog of revision %d: %v, %v", version, names, err)
	}
	text, err := fs.ReadFile(facts, names[0])
	if err != nil {
		tb.Fatal(err)
	}
	var c catalog
	if err := json.Unmarshal(text, &c); err != nil {
		tb.Fatal(err)
	}
	return c
}

// A check must be possible from the revision it names up to its own, or the
// migration of an older database would fail on it.
func TestPreflightQueriesRunSince(t *testing.T) {
	t.Parallel()
	facts := recorded(t)
	b := openWebUI(t)
	dbs := databases(t)
	for history, birth := range histories {
		spec, ok := b.Birth(birth)
		if !ok {
			t.Fatalf("The bundle has no birth %s", birth)
		}
		for version := spec.First; version < len(b.Revisions); version++ {
			for engine, db := range dbs {
				within(t, db, func(tx *sql.Tx) {
					runsAt(t, tx, recordedCatalog(t, facts, history, engine, version), b, engine, version)
				})
			}
		}
	}
}

// runsAt runs the queries that must be possible at a revision, and drops the
// tables again.
func runsAt(tb testing.TB, tx *sql.Tx, tables catalog, b *Bundle, engine Engine, version int) {
	tb.Helper()
	for name, check := range queried(b) {
		query, asked := check.Query[engine]
		if !asked || version < check.Since || version >= check.version {
			continue
		}
		run(tb.Context(), tb, tx, "SAVEPOINT before_check; "+tables.create(check.reads))
		if found := ids(tb.Context(), tb, tx, query); len(found) > 0 {
			tb.Errorf("Check %s on %s at revision %d finds %v in empty tables", name, engine, version, found)
		}
		run(tb.Context(), tb, tx, "ROLLBACK TO SAVEPOINT before_check")
	}
}

// recordedCase is data on which the application's own tools were run.
type recordedCase struct {
	data string // statements that insert it

	Name   string `json:"name"`
	Path   string `json:"path"`
	LoadAt struct {
		Order int `json:"order"`
	} `json:"load_at"`
	Exercises []string `json:"exercises"`
	Outcome   map[Engine]struct {
		Result string `json:"result"`
	} `json:"outcome"`
}

func recordedCases(tb testing.TB, facts fs.FS) []recordedCase {
	tb.Helper()
	names, err := fs.Glob(facts, "cases/*/case.json")
	if err != nil || len(names) == 0 {
		tb.Fatalf("Looking for the recorded cases: %v, %v", names, err)
	}
	cases := make([]recordedCase, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(facts, name)
		if err != nil {
			tb.Fatal(err)
		}
		if err := json.Unmarshal(text, &cases[i]); err != nil {
			tb.Fatal(err)
		}
		data, err := fs.ReadFile(facts, path.Join(path.Dir(name), "before.sql"))
		if err != nil {
			tb.Fatal(err)
		}
		cases[i].data = string(data)
	}
	return cases
}

// history returns the directory of the catalogs that the data fits.
func (c recordedCase) history() string {
	if c.Path == "alembic-only" {
		return "golden-alembic-only"
	}
	return "golden"
}

// uses reports whether the data, or a query, needs a table.
func (c recordedCase) uses(table string, checks map[string]planned) bool {
	if strings.Contains(c.data, fmt.Sprintf("INSERT INTO %q", table)) {
		return true
	}
	for _, check := range checks {
		if check.reads(table) {
			return true
		}
	}
	return false
}

// find reports whether the queries of a revision find something, and whether
// they can say all that is to be said: they run at this point, and no step looks
// for more.
func (c recordedCase) find(tb testing.TB, tx *sql.Tx, revision Revision, engine Engine) (found, all bool) {
	tb.Helper()
	all = true
	for _, check := range revision.Preflight {
		if check.Step != "" || check.Since > c.LoadAt.Order {
			all = false
			continue
		}
		if query, asked := check.Query[engine]; asked {
			found = found || len(ids(tb.Context(), tb, tx, query)) > 0
		}
	}
	return found, all
}

// The queries of a revision find something in the recorded data if and only if
// the application's tools refused that data there.
func TestPreflightQueriesAgreeWithRecords(t *testing.T) {
	t.Parallel()
	facts := recorded(t)
	b := openWebUI(t)
	checks := queried(b)
	dbs := databases(t)
	refused := 0
	for _, c := range recordedCases(t, facts) {
		for engine, db := range dbs {
			within(t, db, func(tx *sql.Tx) {
				tables := recordedCatalog(t, facts, c.history(), engine, c.LoadAt.Order)
				run(t.Context(), t, tx, tables.create(func(table string) bool { return c.uses(table, checks) }))
				run(t.Context(), t, tx, c.data)
				for _, revision := range b.Revisions[c.LoadAt.Order:] {
					found, all := c.find(t, tx, revision, engine)
					want := c.Outcome[engine].Result == "refused" && slices.Contains(c.Exercises, revision.ID)
					if want {
						refused++
					}
					if found != want && (found || all) {
						t.Errorf("Case %s on %s: the checks of revision %d find something: %t, want %t",
							c.Name, engine, revision.Version, found, want)
					}
				}
			})
		}
	}
	if refused < 30 {
		t.Errorf("Only %d cases were refused: the test compares nothing", refused)
	}
}
