package e2e_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/testing/checker"
	"github.com/schemagate/schemagate/migrations"
)

// stale is how long a pod may stay that was let in by an API server, or another
// leader, that had not heard of a hold yet.
const stale = 10 * time.Second

// checkers watch the namespaces of the tests.
var checkers sync.Map

// watchNamespace has the promise checked from now until the test ends.
func watchNamespace(t *testing.T, namespace string) {
	t.Helper()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c, err := checker.Start(ctx, checker.Options{Client: watching, Bundle: b, Namespaces: []string{namespace}, Stale: stale})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	checkers.Store(namespace, c)
	t.Cleanup(func() {
		defer cancel()
		report := c.Finish()
		for _, violation := range report.Violations {
			t.Error(violation)
		}
		t.Logf("%d pods, %d releases of which %d late, %d admissions of which %d late",
			report.Pods, report.Releases, report.StaleReleases, report.Admissions, report.StaleAdmissions)
	})
}

// tellCommits tells the checker of a namespace what its database went through, as
// the database itself remembers it.
func tellCommits(t *testing.T, namespace, schema string, db *sql.DB) {
	t.Helper()
	c, ok := checkers.Load(namespace)
	if !ok {
		return
	}
	watcher, ok := c.(*checker.Checker)
	if !ok {
		t.Fatalf("a %T is no checker", c)
	}
	ctx := context.WithoutCancel(t.Context())
	var there bool
	if err := db.QueryRowContext(ctx, "SELECT to_regclass('schemagate_history') IS NOT NULL").Scan(&there); err != nil || !there {
		if err != nil {
			t.Errorf("the history of the database cannot be read, so what it went through cannot be checked: %v", err)
		}
		return
	}
	rows, err := db.QueryContext(ctx, "SELECT revision, direction, applied_at FROM schemagate_history ORDER BY sequence")
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = rows.Close() }()
	at := 0
	for rows.Next() {
		var revision int
		var direction string
		var applied time.Time
		if err := rows.Scan(&revision, &direction, &applied); err != nil {
			t.Error(err)
			return
		}
		from, to := revision-1, revision
		switch direction {
		case "down":
			from, to = revision, revision-1
		case "up":
		default:
			from = revision // It was there already.
		}
		if at > 0 {
			from = at
		}
		at = to
		watcher.Revision(namespace, schema, from, to, applied)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}
