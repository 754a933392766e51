package migrate

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// TestConnectionCutEverywhere cuts the connection at every message of a run,
// COMMIT included, before or after the server has seen it. The run itself finds
// out what became of it and finishes.
func TestConnectionCutEverywhere(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	tests := map[string]struct {
		from string
		how  cutAfter
	}{
		"request lost": {"1", lostRequest}, "reply lost": {"1", lostReply},
		"request of an installation lost": {Empty, lostRequest}, "reply to an installation lost": {Empty, lostReply},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPostgres(t)
			cuts, retried := 0, 0
			for cut := 1; ; cut++ {
				p.migrate(t, b, files, tt.from)
				proxy, through := startProxy(t, p.url, cut, tt.how)
				o := place{url: through, db: p.db}.options(t, b, files, "3")
				waited := false
				o.Report = func(e Event) { waited = waited || e.Kind == EventWaiting }
				got := migrateWith(t, o)
				if !proxy.reached() {
					break
				}
				cuts++
				switch {
				case got.err == nil && waited:
					retried++
				case got.err != nil:
					// Only the first contact is not repeated.
					got.wantReason(t, result.Transient, result.ReasonUnreachable)
					if retried > 0 {
						t.Errorf("the cut at message %d ended the run: %v", cut, got.err)
					}
					p.wantSound(t)
					p.migrate(t, b, files, "3")
				}
				if version := p.wantSound(t); version != 3 {
					t.Errorf("after the cut at message %d the database is at %d", cut, version)
				}
			}
			if cuts < 20 || retried < 10 {
				t.Errorf("%d cuts and %d runs that mended themselves: the test has missed the run", cuts, retried)
			}
			t.Logf("%d cuts, %d runs mended themselves", cuts, retried)
		})
	}
}

func TestTransactionPooler(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	pooler := postgres.StartPgBouncer(t, server, postgres.PoolTransaction)
	b, files := bundleOf(t, chain(6)...)
	p := newPostgres(t)
	through := place{url: pooler.URL(t, p.url), db: p.db}
	through.migrate(t, b, files, "3")
	for _, o := range runAll(t, through, b, files, slicesOf(6, "6", "2")) {
		if o.err != nil {
			t.Errorf("a runner behind the pooler failed: %v", o.err)
		}
	}
	through.wantSound(t)
	through.migrate(t, b, files, "6")
	if version := p.wantSound(t); version != 6 {
		t.Errorf("the database is at %d, want 6", version)
	}
}

func TestNoTransaction(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	pooler := postgres.StartPgBouncer(t, server, postgres.PoolTransaction)
	specs := append(chain(2), revisionSpec{
		up:   "-- schemagate:no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id);\nINSERT INTO t (id) SELECT 3 WHERE NOT EXISTS (SELECT FROM t WHERE id = 3);",
		down: "DROP INDEX i;\nDELETE FROM t WHERE id = 3;",
	})
	b, files := bundleOf(t, specs...)
	p := newPostgres(t)
	through := place{url: pooler.URL(t, p.url), db: p.db}
	through.migrate(t, b, files, "2")
	got := migrateWith(t, through.options(t, b, files, "3"))
	got.wantReason(t, result.Refused, result.ReasonTransactionPooler)
	p.want(t, "SELECT count(*) FROM pg_indexes WHERE indexname = 'i'", "0")

	for range 2 { // also on the way back, and again
		p.migrate(t, b, files, "3")
		p.want(t, "SELECT count(*) FROM pg_indexes WHERE indexname = 'i'", "1")
		p.want(t, "SELECT version FROM schema_migrations", "3")
		p.migrate(t, b, files, "2")
	}
	for _, o := range runAll(t, p, b, files, slicesOf(8, "3")) {
		if o.err != nil {
			t.Errorf("a runner failed: %v", o.err)
		}
	}
	p.want(t, "SELECT count(*) FROM t", "3")
	p.want(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", "0")

	// From nothing: no single transaction then.
	empty := newPostgres(t)
	empty.migrate(t, b, files, "3")
	empty.want(t, "SELECT count(*) FROM pg_indexes WHERE indexname = 'i'", "1")

	lite := newSQLite(t)
	migrateWith(t, lite.options(t, b, files, "3")).wantReason(t, result.Permanent, result.ReasonBundleInvalid)
}

// TestMinimalRole: what a role needs is what the documentation grants it.
func TestMinimalRole(t *testing.T) {
	t.Parallel()
	specs := append(chain(3), revisionSpec{up: "-- schemagate:step rewrite\n", down: "SELECT 1;"})
	b, files := bundleOf(t, specs...)
	steps := step.Set{Steps: map[string]step.Func{"rewrite": func(ctx context.Context, run *step.Run) error {
		return run.Read(ctx, "SELECT id FROM t", func(batch []step.Row) error {
			var rows [][]any
			for _, row := range batch {
				id, _ := row.Int(0)
				rows = append(rows, []any{id, id + 100})
			}
			return run.Update(ctx, "t", []string{"id"}, []string{"c2"}, rows)
		})
	}}}
	p := newPostgres(t)
	role := "minimal_" + p.text(t, "SELECT md5(current_database())")
	p.exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'p'")
	t.Cleanup(func() {
		if _, err := p.db.ExecContext(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role); err != nil {
			t.Errorf("Dropping the role: %v", err)
		}
	})
	database := p.text(t, "SELECT quote_ident(current_database())")
	p.exec(t, "REVOKE ALL ON DATABASE "+database+" FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")

	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "p")
	as := place{url: u.String(), db: p.db}
	run := func() outcome {
		o := as.options(t, b, files, "4")
		o.Steps = steps
		return migrateWith(t, o)
	}
	run().wantReason(t, result.Permanent, result.ReasonPermissionDenied)
	p.exec(t, "GRANT CONNECT, TEMPORARY ON DATABASE "+database+" TO "+role)
	p.exec(t, "GRANT USAGE ON SCHEMA public TO "+role)
	run().wantReason(t, result.Permanent, result.ReasonPermissionDenied)
	p.exec(t, "GRANT CREATE ON SCHEMA public TO "+role)
	if got := run(); got.err != nil {
		t.Fatal(got.err)
	}
	p.want(t, "SELECT sum(c2) FROM t", "306")
}

// TestPasswordFileIsNotRead: the password in somebody's home directory fits, and
// is left where it is.
func TestPasswordFileIsNotRead(t *testing.T) {
	b, files := bundleOf(t, chain(1)...)
	p := newPostgres(t)
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".pgpass"), []byte("*:*:*:*:"+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	u.User = url.User(u.User.Username())
	migrateWith(t, place{url: u.String(), db: p.db}.options(t, b, files, "1")).
		wantReason(t, result.Transient, result.ReasonAuthentication)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(1)...)
	p := newPostgres(t)
	const canary = "canary-7f3a"
	tests := map[string]struct {
		change func(u *url.URL)
		reason result.Reason
	}{
		"wrong password":  {func(u *url.URL) { u.User = url.UserPassword("postgres", canary) }, result.ReasonAuthentication},
		"unknown role":    {func(u *url.URL) { u.User = url.UserPassword("nobody", canary) }, result.ReasonAuthentication},
		"no such server":  {func(u *url.URL) { u.Host = "127.0.0.1:1"; u.User = url.UserPassword("a", canary) }, result.ReasonUnreachable},
		"no such host":    {func(u *url.URL) { u.Host = "does-not-exist.invalid"; u.User = url.UserPassword("a", canary) }, result.ReasonUnreachable},
		"no such name":    {func(u *url.URL) { u.Path = "/missing" }, result.ReasonDatabaseMissing},
		"TLS not offered": {func(u *url.URL) { u.RawQuery = "sslmode=verify-full" }, result.ReasonAuthentication},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(p.url)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(u)
			got := migrateWith(t, place{url: u.String(), db: p.db}.options(t, b, files, "1"))
			e := got.failure(t, result.Transient, tt.reason)
			line, err := got.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if text := e.Error() + string(line); strings.Contains(text, canary) {
				t.Errorf("the output tells the password: %s", text)
			}
			if got.DurationSeconds > 8 {
				t.Errorf("it took %.1f seconds to give up", got.DurationSeconds)
			}
		})
	}
	t.Run("no such schema", func(t *testing.T) {
		t.Parallel()
		o := p.options(t, b, files, "1")
		o.Schema = `odd "schema"`
		migrateWith(t, o).wantReason(t, result.Transient, result.ReasonDatabaseMissing)
		p.exec(t, `CREATE SCHEMA "odd ""schema"""`)
		if got := migrateWith(t, o); got.err != nil {
			t.Fatal(got.err)
		}
		p.want(t, `SELECT count(*) FROM "odd ""schema""".t`, "1")
	})
}

// TestCanceled: the context ends a statement that would run for minutes.
func TestCanceled(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, append(chain(1), revisionSpec{up: "SELECT pg_sleep(600);", down: "SELECT 1;"})...)
	p := newPostgres(t)
	p.migrate(t, b, files, "1")
	ctx, cancel := context.WithCancel(t.Context())
	o := p.options(t, b, files, "2")
	o.Report = func(e Event) {
		if e.Kind == EventStarted {
			time.AfterFunc(20*time.Millisecond, cancel)
		}
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Run(ctx)
	outcome{Result: res, err: err}.wantReason(t, result.Transient, result.ReasonInterrupted)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if res.DurationSeconds > 4 {
		t.Errorf("it took %.1f seconds to stop", res.DurationSeconds)
	}
	p.wantSound(t)
}
