package migrate

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestSizes: a run tells how large the tables are that revisions touch, also while
// somebody holds one, and of a server that has not counted them yet it tells nothing.
func TestSizes(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	p := newPostgres(t)
	p.migrate(t, b, files, "2")
	look := func() result.Result {
		t.Helper()
		got := migrateWith(t, p.options(t, b, files, "2"))
		if got.err != nil {
			t.Fatal(got.err)
		}
		return got.Result
	}
	if got := look().Tables; got != nil {
		t.Errorf("before anything is counted the tables are %v", got)
	}
	const rows = 5000
	for _, statement := range []string{
		"CREATE TABLE other AS SELECT generate_series(1, 9999)", "CREATE SCHEMA elsewhere", "CREATE TABLE elsewhere.t AS SELECT generate_series(1, 9999)",
		fmt.Sprintf("TRUNCATE t; INSERT INTO t (id) SELECT generate_series(1, %d)", rows), "VACUUM ANALYZE",
	} {
		if _, err := p.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	var bytes int64
	if err := p.db.QueryRowContext(t.Context(), "SELECT pg_table_size('t') - pg_relation_size('t', 'fsm') - pg_relation_size('t', 'vm')").Scan(&bytes); err != nil {
		t.Fatal(err)
	}
	holder := p.session(t, "holder", true)
	if _, err := holder.ExecContext(t.Context(), "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]result.Table{{Name: "t", Rows: rows, Bytes: bytes}}, look().Tables); diff != "" {
		t.Errorf("the tables (-want +got):\n%s", diff)
	}
}
