// Package recorded reads what was recorded of the application's database
// before and after its own migrations, and compares a live database with it.
//
// The records are kept beside the repository, not in it. Tests that need them
// are skipped where they are absent; see [Dir].
package recorded

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// place is where the records are, seen from the root of the repository.
const place = "../shared/openwebui"

// Dir returns the directory of the records, or skips the test and says why
// where there are none.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, found := Find(tb)
	if !found {
		tb.Skip("The test has nothing to compare with")
	}
	return dir
}

// Find returns the directory of the records, for tests that have more to do
// than to compare with them. Where there are none it says so in the test's log.
func Find(tb testing.TB) (dir string, found bool) {
	tb.Helper()
	dir = filepath.Join(root(tb), filepath.FromSlash(place))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		tb.Logf("The recorded facts are absent: the repository's root has no %s", place)
		return "", false
	} else if err != nil {
		tb.Fatal(err)
	}
	return dir, true
}

// root returns the root of the repository. Tests run in the directory of their
// package.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("no directory above the test has a go.mod")
		}
		dir = parent
	}
}

// Results of running the application's own migrations.
const (
	ResultOK      = "ok"
	ResultRefused = "refused"
)

// Outcome is what the application's own tools did.
type Outcome struct {
	// Result is ResultOK or ResultRefused.
	Result string `json:"result"`
	// StoppedAt is where they stopped. Only cases have it.
	StoppedAt struct {
		PeeweeDone     int      `json:"peewee_done"`
		AlembicVersion []string `json:"alembic_version"`
	} `json:"stopped_at"`
	// AlembicVersion is where a legacy database ended.
	AlembicVersion []string `json:"alembic_version"`
	// ErrorType and Error say why a case was refused.
	ErrorType string `json:"error_type"`
	Error     string `json:"error"`
}

// record is what cases and legacy databases have in common.
type record struct {
	// Name is the name of the record's directory.
	Name string `json:"name"`
	// Target is the id of the revision that was migrated to.
	Target string `json:"target"`
	// Outcome, Volatile and Unordered are by engine. Volatile lists columns
	// whose values come from a clock or a random source, as table.column;
	// Unordered lists whose order is random, as table.column -> key.
	Outcome   map[step.Dialect]Outcome  `json:"outcome"`
	Volatile  map[step.Dialect][]string `json:"volatile"`
	Unordered map[step.Dialect][]string `json:"unordered"`

	dir string
}

// Case is a small set of rows that exercises one or a few revisions.
type Case struct {
	record
	Kind string `json:"kind"`
	// Path is how the database was built: "peewee-then-alembic" or
	// "alembic-only".
	Path string `json:"path"`
	// LoadAt is the revision at which the rows are inserted.
	LoadAt struct {
		Order    int    `json:"order"`
		System   string `json:"system"`
		Revision string `json:"revision"`
	} `json:"load_at"`
	// Exercises are the ids of the revisions that the rows are for.
	Exercises []string `json:"exercises"`
	Notes     string   `json:"notes"`
}

// Before returns the statements that insert the rows, valid on both engines.
func (c Case) Before(tb testing.TB) string {
	tb.Helper()
	return c.file(tb, "before.sql")
}

// Legacy is a whole populated database that stopped at an old revision.
type Legacy struct {
	record
	// StoppedAt is the id of the revision it stopped at.
	StoppedAt string `json:"stopped_at"`
	// BuiltWith says in prose how it was built.
	BuiltWith string `json:"built_with"`
}

// Dump returns the statements that build the database in an empty one,
// bookkeeping included.
func (l Legacy) Dump(tb testing.TB, dialect step.Dialect) string {
	tb.Helper()
	return l.file(tb, "dump."+string(dialect)+".sql")
}

// Catalog returns the recorded catalog as it was dumped.
func (l Legacy) Catalog(tb testing.TB, dialect step.Dialect) string {
	tb.Helper()
	return l.file(tb, "catalog."+string(dialect)+".json")
}

// CatalogAfter returns the recorded catalog at the target.
func (l Legacy) CatalogAfter(tb testing.TB, dialect step.Dialect) string {
	tb.Helper()
	return l.file(tb, "catalog-after."+string(dialect)+".json")
}

// After returns the rows of the whole database after the migration or, where
// that was refused, as it was left.
func (r record) After(tb testing.TB, dialect step.Dialect) Database {
	tb.Helper()
	d, err := parseDatabase(r.file(tb, "after."+string(dialect)+".json"), r.Unordered[dialect])
	if err != nil {
		tb.Fatalf("Reading what was recorded of %s on %s: %v", r.Name, dialect, err)
	}
	return d
}

func (r record) file(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// Cases returns all cases, by name.
func Cases(tb testing.TB) []Case {
	tb.Helper()
	return load(tb, "cases", "case.json", func(c *Case) *record { return &c.record })
}

// LoadCase returns one case.
func LoadCase(tb testing.TB, name string) Case {
	tb.Helper()
	for _, c := range Cases(tb) {
		if c.Name == name {
			return c
		}
	}
	tb.Fatalf("There is no case %s", name)
	return Case{}
}

// Legacies returns all legacy databases, by name.
func Legacies(tb testing.TB) []Legacy {
	tb.Helper()
	return load(tb, "legacy", "legacy.json", func(l *Legacy) *record { return &l.record })
}

// load reads the description in every directory of a kind.
func load[T any](tb testing.TB, kind, file string, common func(*T) *record) []T {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(Dir(tb), kind, "*", file))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("There are no %s among the records: %v", kind, err)
	}
	all := make([]T, len(paths))
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		if err := json.Unmarshal(text, &all[i]); err != nil {
			tb.Fatalf("Reading %s: %v", path, err)
		}
		common(&all[i]).dir = filepath.Dir(path)
	}
	return all
}
