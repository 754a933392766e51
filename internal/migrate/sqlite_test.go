package migrate

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestForeignKeys: rebuilding a table must not delete the rows that refer to it
// by cascade, and must not leave references to nothing.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	rebuild := "CREATE TABLE t_new (id integer PRIMARY KEY, note text);\nINSERT INTO t_new (id) SELECT id FROM t%s;\n" +
		"DROP TABLE t;\nALTER TABLE t_new RENAME TO t;"
	b, files := bundleOf(t,
		revisionSpec{
			up: "CREATE TABLE t (id integer PRIMARY KEY);\nCREATE TABLE child (t_id integer REFERENCES t (id) ON DELETE CASCADE);\n" +
				"INSERT INTO t VALUES (1), (2);\nINSERT INTO child VALUES (1), (2);",
			down: "DROP TABLE child;\nDROP TABLE t;",
		},
		revisionSpec{up: strings.ReplaceAll(rebuild, "%s", ""), down: "SELECT 1;"},
		revisionSpec{up: strings.ReplaceAll(rebuild, "%s", " WHERE id > 1"), down: "SELECT 1;"},
	)
	p := newSQLite(t)
	p.migrate(t, b, files, "2")
	p.want(t, "SELECT count(*) FROM child", "2")

	got := migrateWith(t, p.options(t, b, files, "3"))
	e := got.failure(t, result.Permanent, result.ReasonForeignKeys)
	if e.Failure.Table != "child" || e.Failure.Revision != 3 || got.To != 2 {
		t.Errorf("the result is %+v, failure %+v", got.Result, e.Failure)
	}
	p.want(t, "SELECT count(*) FROM t", "2")

	// What was broken before is not the revision's fault.
	p.exec(t, "DELETE FROM t WHERE id = 1")
	p.want(t, "SELECT count(*) FROM pragma_foreign_key_check", "1")
	p.migrate(t, b, files, "3")
}

// TestForeignKeysOfOtherWriters: what others break between two revisions is not
// blamed on the second one.
func TestForeignKeysOfOtherWriters(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t,
		revisionSpec{up: "CREATE TABLE t (id integer PRIMARY KEY);\nCREATE TABLE child (t_id integer REFERENCES t (id));", down: "SELECT 1;"},
		revisionSpec{up: "INSERT INTO t VALUES (1);", down: "SELECT 1;"},
		revisionSpec{up: "INSERT INTO t VALUES (2);", down: "SELECT 1;"},
	)
	p := newSQLite(t)
	p.migrate(t, b, files, "1")
	o := p.options(t, b, files, "3")
	o.Report = func(e Event) {
		if e.Kind == EventApplied && e.Revision == 2 {
			p.exec(t, "INSERT INTO child VALUES (99)")
		}
	}
	if got := migrateWith(t, o); got.err != nil {
		t.Fatal(got.err)
	}
}

func TestJournalModeStays(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	for _, mode := range []string{"wal", "delete"} {
		p := newSQLite(t)
		p.want(t, "PRAGMA journal_mode = "+mode, mode)
		p.migrate(t, b, files, "2")
		// A connection learns the mode of others when it reads.
		p.want(t, "SELECT count(*) FROM t", "2")
		p.want(t, "PRAGMA journal_mode", mode)
	}
}

// TestWhatSQLiteCannotOpen: a view of a table that is gone, and a virtual table
// whose module is another program's, are in nobody's way.
func TestWhatSQLiteCannotOpen(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	p := newSQLite(t)
	p.migrate(t, b, files, "1")
	p.exec(t, "PRAGMA writable_schema = ON; INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES"+
		" ('table', 'vectors', 'vectors', 0, 'CREATE VIRTUAL TABLE vectors USING no_such_module (a, b)'),"+
		" ('view', 'broken', 'broken', 0, 'CREATE VIEW broken AS SELECT missing FROM gone')")
	r := p.reader(t)
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	if state, err := r.Status(t.Context()); err != nil || state.Version != 1 {
		t.Errorf("the status is %+v: %v", state, err)
	}
	if plan, err := r.Plan(t.Context()); err != nil {
		t.Errorf("the plan is %+v: %v", plan, err)
	}
	p.exec(t, "PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'broken'")
	p.migrate(t, b, files, "2")
	p.want(t, "SELECT count(*) FROM sqlite_master WHERE name = 'vectors'", "1")
}

func TestSQLiteFiles(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	missing := place{url: "sqlite:///" + filepath.Join(t.TempDir(), "missing.db")}
	r, err := New(missing.options(t, b, files, "2"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Plan(t.Context())
	if err != nil || !p.NoFile || p.From != 0 || len(p.Steps) != 2 || !p.OneTransaction {
		t.Errorf("the plan for a file that does not exist is %+v: %v", p, err)
	}
	if got := r.String(); got != missing.url {
		t.Errorf("the runner calls the database %s, want %s", got, missing.url)
	}
	if state, err := r.Status(t.Context()); err != nil || !state.NoFile || !state.Empty() {
		t.Errorf("the status of a file that does not exist is %+v: %v", state, err)
	}
	if exists, err := sqliteExists(strings.TrimPrefix(missing.url, "sqlite:///")); err != nil || exists {
		t.Errorf("planning has made the file: %t, %v", exists, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	nowhere := place{url: "sqlite:///" + filepath.Join(t.TempDir(), "no", "such", "directory.db")}
	migrateWith(t, nowhere.options(t, b, files, "2")).wantReason(t, result.Transient, result.ReasonDatabaseMissing)
}
