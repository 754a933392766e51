package migrate

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// fencedChain is a chain whose third revision is one that running applications
// cannot live with.
func fencedChain() []revisionSpec {
	specs := chain(4)
	specs[2].label = "breaking"
	return specs
}

// session opens one connection of an application.
func (p place) session(t *testing.T, application string, busy bool) *sql.Conn {
	t.Helper()
	conn, err := postgres.Open(t, p.url+"&application_name="+application).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if busy {
		if _, err := conn.ExecContext(t.Context(), "BEGIN; SELECT 'a secret'"); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// credentials returns what stands before the host of a URL.
func credentials(t *testing.T, url string) string {
	t.Helper()
	at := strings.Index(url, "@")
	if at < 0 {
		t.Fatalf("%s names no user", url)
	}
	return strings.TrimPrefix(url[:at], "postgres://")
}

// TestFence: before a revision that others cannot live with, idle sessions of
// the same role end, and any other stops it.
func TestFence(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, fencedChain()...)
	p := newPostgres(t)
	p.migrate(t, b, files, "1")
	fenced := func(target string, ignore ...string) Options {
		o := p.options(t, b, files, target)
		o.Fence, o.RetryTimeout = &Fence{Ignore: ignore}, 10*time.Millisecond
		return o
	}
	busy := p.session(t, "open-webui", true)
	idle := p.session(t, "idler", false)

	// An additive revision disturbs nobody.
	if got := migrateWith(t, fenced("2")); got.err != nil {
		t.Fatal(got.err)
	}
	if err := idle.PingContext(t.Context()); err != nil {
		t.Fatalf("the idle session ended before an additive revision: %v", err)
	}
	e := migrateWith(t, fenced("4")).failure(t, result.Transient, result.ReasonDatabaseInUse)
	want := []result.Blocker{{Application: "open-webui", Count: 1}}
	if diff := cmp.Diff(want, e.Failure.Blockers, cmpopts.IgnoreFields(result.Blocker{}, "PID")); diff != "" {
		t.Errorf("the sessions (-want +got):\n%s", diff)
	}
	if e.Failure.Revision != 3 || strings.Contains(e.Error(), "secret") {
		t.Errorf("the failure is at revision %d: %v", e.Failure.Revision, e)
	}
	if err := idle.PingContext(t.Context()); err == nil {
		t.Error("the idle session of the same role is still there")
	}
	if version := p.wantSound(t); version != 2 {
		t.Fatalf("the database is at %d, want 2", version)
	}
	// Whom nobody counts goes on.
	if got := migrateWith(t, fenced("4", "other", "open-webui")); got.err != nil {
		t.Fatal(got.err)
	}
	if err := busy.PingContext(t.Context()); err != nil {
		t.Errorf("an ignored session was ended: %v", err)
	}
	// Every way down is one that nobody may watch.
	migrateWith(t, fenced("3")).wantReason(t, result.Transient, result.ReasonDatabaseInUse)
	if _, err := busy.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if got := migrateWith(t, fenced("3")); got.err != nil {
		t.Fatal(got.err)
	}
}

// TestFenceWithoutPrivileges: sessions of another role count, though an
// unprivileged one sees neither what they do nor of what type they are, and
// cannot end them.
func TestFenceWithoutPrivileges(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, fencedChain()...)
	p := newPostgres(t)
	database := p.text(t, "SELECT current_database()")
	p.exec(t, "CREATE ROLE plain_"+database+" LOGIN PASSWORD 'x'")
	p.exec(t, "GRANT CREATE, USAGE ON SCHEMA public TO plain_"+database)
	plain := place{url: strings.Replace(p.url, "postgres://"+credentials(t, p.url), "postgres://plain_"+database+":x", 1)}
	plain.db = postgres.Open(t, plain.url)
	plain.migrate(t, b, files, "2")

	other := p.session(t, "exporter", false)
	o := plain.options(t, b, files, "3")
	o.Fence, o.RetryTimeout = &Fence{}, 10*time.Millisecond
	e := migrateWith(t, o).failure(t, result.Transient, result.ReasonDatabaseInUse)
	if len(e.Failure.Blockers) == 0 || !cmp.Equal(e.Failure.Blockers[len(e.Failure.Blockers)-1].Application, "exporter") {
		t.Errorf("the sessions are %+v", e.Failure.Blockers)
	}
	if err := other.PingContext(t.Context()); err != nil {
		t.Errorf("a session of another role ended: %v", err)
	}
	// The test's own session has no name.
	if err := p.db.Close(); err != nil {
		t.Fatal(err)
	}
	o.Fence.Ignore = []string{"exporter"}
	if got := migrateWith(t, o); got.err != nil {
		t.Fatal(got.err)
	}
}

// TestFenceWaits: a session that ends in time is waited for.
func TestFenceWaits(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, fencedChain()...)
	p := newPostgres(t)
	p.migrate(t, b, files, "2")
	busy := p.session(t, "open-webui", true)
	o := p.options(t, b, files, "3")
	waited := make(chan struct{})
	// It is less than the looks take: what counts begins with the first failure.
	o.Fence, o.RetryTimeout = &Fence{}, 300*time.Millisecond
	o.Report = func(event Event) {
		if event.Kind == EventWaiting {
			select {
			case <-waited:
			default:
				close(waited)
			}
		}
	}
	go func() {
		<-waited
		_, _ = busy.ExecContext(context.WithoutCancel(t.Context()), "COMMIT")
		_ = busy.Close()
	}()
	if got := migrateWith(t, o); got.err != nil {
		t.Fatal(got.err)
	}
}

func TestFenceOptions(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(1)...)
	for name, session := range map[string]string{"empty": "", "too long": strings.Repeat("x", 64), "a zero byte": "a\x00b"} {
		o := Options{Bundle: b, Files: files, Target: "1", Fence: &Fence{Ignore: []string{"a", session}}}
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "session 2 to ignore") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	for application, want := range map[string]string{
		"": "schemagate", "schemagate 2": "schemagate", "web": "schemagate web",
		strings.Repeat("é", 40): "schemagate " + strings.Repeat("é", 26),
	} {
		if got := named(application); got != want {
			t.Errorf("named(%q) = %q, want %q", application, got, want)
		}
	}
}
