package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// wantSound checks that a database that chain migrates is at exactly one
// revision, whatever was done to its runners: the version, the history, the
// application's table, the columns and the rows all say the same. It returns
// the revision.
func (p place) wantSound(tb testing.TB) int {
	tb.Helper()
	var state State
	rows := 0
	r := p.reader(tb)
	// In one snapshot: the server may still be committing for a client that is
	// dead.
	err := r.observe(tb.Context(), func(ctx context.Context, q step.Tx, s State) error {
		state, rows = s, 0
		if !s.facts.has("t") {
			return nil
		}
		return q.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&rows)
	})
	if err := errors.Join(err, r.Close()); err != nil {
		tb.Fatal(err)
	}
	if !state.Managed {
		if len(state.Tables) > 0 {
			tb.Fatalf("an unmanaged database has the tables %v", state.Tables)
		}
		return 0
	}
	type facts struct {
		Version, History, Rows, Columns int
		Dirty                           bool
		Alembic                         string
	}
	want := facts{Version: state.Version, History: state.Version, Rows: state.Version, Columns: min(state.Version, childRevisions)}
	if state.Version > 0 {
		want.Alembic = testID(state.Version)
	}
	got := facts{
		Version: state.Version, History: walk(tb, state.history), Rows: rows, Columns: len(state.facts.tables["t"]),
		Dirty: state.dirty, Alembic: strings.Join(state.Alembic, " "),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Fatalf("the database contradicts itself (-want +got):\n%s", diff)
	}
	return state.Version
}

// walk follows a history and returns where it ends. Every row must begin where
// the one before ended: otherwise two runs have interleaved.
func walk(tb testing.TB, history []historyRow) int {
	tb.Helper()
	at := 0
	for i, h := range history {
		switch {
		case h.direction == Up && h.revision == at+1:
			at++
		case h.direction == Down && h.revision == at:
			at--
		default:
			tb.Fatalf("row %d of the history is %s %d at revision %d: two runs have interleaved", i, h.direction, h.revision, at)
		}
	}
	return at
}

// reader is a runner that only looks.
func (p place) reader(tb testing.TB) *Runner {
	tb.Helper()
	b, files := bundleOf(tb, chain(1)...)
	r, err := New(p.options(tb, b, files, "1"))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestManyRunnersApplyOnce(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(6)...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.migrate(t, b, files, "1")
			outcomes := runAll(t, p, b, files, slicesOf(50, "6"))
			applied := 0
			for _, o := range outcomes {
				if o.err != nil {
					t.Errorf("a runner failed: %v", o.err)
				}
				applied += o.Applied
			}
			if version := p.wantSound(t); version != 6 || applied != 5 {
				t.Errorf("50 runners applied %d revisions and left the database at %d", applied, version)
			}
		})
	}
}

func slicesOf(n int, targets ...string) []string {
	var out []string
	for i := range n {
		out = append(out, targets[i%len(targets)])
	}
	return out
}

// runAll runs one runner per target at the same time.
func runAll(t *testing.T, p place, b *bundle.Bundle, files fs.FS, targets []string) []outcome {
	t.Helper()
	outcomes := make([]outcome, len(targets))
	var wg sync.WaitGroup
	for i, target := range targets {
		wg.Go(func() { outcomes[i] = migrateWith(t, p.options(t, b, files, target)) })
	}
	wg.Wait()
	return outcomes
}

func TestUpAndDownNeverInterleave(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(6)...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.migrate(t, b, files, "4")
			for range 3 {
				for _, o := range runAll(t, p, b, files, slicesOf(6, "6", "2", "1")) {
					if o.err != nil {
						t.Errorf("a runner failed: %v", o.err)
					}
				}
				p.wantSound(t)
			}
		})
	}
}

func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	kills, seed := number(t, envKills, 60), number(t, envSeed, 1)
	b, files := bundleOf(t, childChain()...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			t.Logf("%d kills with the seed %d; %s and %s change them", kills, seed, envKills, envSeed)
			random := rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // repeatable, not secret
			top := strconv.Itoa(childRevisions)
			target, killed := top, 0
			for range kills / 2 {
				cmd := startChild(t, p, target)
				if killAtRandom(t, cmd, random) {
					killed++
				}
				before := p.wantSound(t)
				if before == childRevisions || before == 0 {
					target = map[string]string{top: Empty, Empty: top}[target]
				}
				if random.IntN(10) == 0 {
					p.migrate(t, b, files, top)
					target = Empty
				}
			}
			p.migrate(t, b, files, top)
			if version := p.wantSound(t); version != childRevisions {
				t.Errorf("the last run left the database at %d", version)
			}
			if killed == 0 {
				t.Error("every child finished before it was killed: the test has tested nothing")
			}
			t.Logf("%d children were killed at work", killed)
		})
	}
}

// killAtRandom waits for the child's first revision and then for a random time,
// and reports whether the child died of the kill.
func killAtRandom(t *testing.T, cmd *exec.Cmd, random *rand.Rand) bool {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	revisions := random.IntN(childRevisions)
	for range revisions {
		if _, err := lines.ReadString('\n'); err != nil {
			break
		}
	}
	timer := time.NewTimer(time.Duration(random.Int64N(int64(4 * time.Millisecond))))
	<-timer.C
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

func number(t *testing.T, env string, unset int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return unset
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}

// TestTerminated: SIGTERM during a long statement rolls back at once and says
// so.
func TestTerminated(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, childChain()...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.migrate(t, b, files, "12")
			cmd := startChild(t, p, "13")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != result.ExitTransient {
				t.Errorf("the child ended with %v, want exit code %d: %s", err, result.ExitTransient, stderr.String())
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %s to end", took)
			}
			if version := p.wantSound(t); version != 12 {
				t.Errorf("the database is at %d, want 12", version)
			}
		})
	}
}

func TestBlockedTableIsRetried(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	p := newPostgres(t)
	p.migrate(t, b, files, "2")
	release := block(t, p)
	o := p.options(t, b, files, "3")
	o.LockTimeout = 200 * time.Millisecond
	var waited []Event
	o.Report = func(e Event) {
		if e.Kind != EventWaiting {
			return
		}
		if waited = append(waited, e); len(waited) == 2 {
			release()
		}
	}
	if got := migrateWith(t, o); got.err != nil || got.Applied != 1 {
		t.Fatalf("the result is %+v: %v", got.Result, got.err)
	}
	if len(waited) < 2 {
		t.Fatalf("it waited %d times, want 2", len(waited))
	}
	e := waited[0].Err
	if e.Outcome != result.Locked || e.Reason != result.ReasonTableLocked || e.Failure.SQLState != stateLockNotAvailable || e.Failure.Revision != 3 {
		t.Errorf("the reason to wait is %s/%s, failure %+v", e.Outcome, e.Reason, e.Failure)
	}
	want := []result.Blocker{{Application: "nightly-report", Count: 1}}
	if diff := cmp.Diff(want, e.Failure.Blockers, cmpopts.IgnoreFields(result.Blocker{}, "PID")); diff != "" {
		t.Errorf("the blockers (-want +got):\n%s", diff)
	}
	if strings.Contains(e.Error(), "secret") {
		t.Errorf("the error tells the blocker's query: %v", e)
	}
	p.wantSound(t)
}

// block reads t in a transaction of another application, which stays open until
// it is released.
func block(t *testing.T, p place) (release func()) {
	t.Helper()
	db := postgres.Open(t, p.url+"&application_name=nightly-report")
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT 'a secret', count(*) FROM t"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestBlockedTableInTheEnd(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			p.migrate(t, b, files, "2")
			tx, err := p.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "UPDATE t SET id = id"); err != nil {
				t.Fatal(err)
			}
			o := p.options(t, b, files, "3")
			o.LockTimeout, o.RetryTimeout = 30*time.Millisecond, 100*time.Millisecond
			reason := result.ReasonTableLocked
			if strings.HasPrefix(p.url, "sqlite") {
				reason = result.ReasonMigrationLocked // the file has one lock
			}
			migrateWith(t, o).wantReason(t, result.Locked, reason)
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if version := p.wantSound(t); version != 2 {
				t.Errorf("the database is at %d, want 2", version)
			}
		})
	}
}

// TestBlockedAfterLongWork: a lock that is missed after more work than a run
// tries again for is tried again all the same.
func TestBlockedAfterLongWork(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t,
		revisionSpec{up: "CREATE TABLE t (id integer);\nCREATE TABLE u (id integer);", down: "DROP TABLE t;\nDROP TABLE u;"},
		revisionSpec{up: "SELECT pg_sleep(0.5);\nALTER TABLE u ADD COLUMN c integer;", down: "SELECT 1;"},
	)
	p := newPostgres(t)
	p.migrate(t, b, files, "1")
	tx, err := p.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT count(*) FROM u"); err != nil {
		t.Fatal(err)
	}
	o := p.options(t, b, files, "2")
	o.LockTimeout, o.RetryTimeout = 30*time.Millisecond, 200*time.Millisecond
	o.Report = func(e Event) {
		if e.Kind == EventWaiting {
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		}
	}
	if got := migrateWith(t, o); got.err != nil {
		t.Error(got.err)
	}
}

func TestMigrationLockHasADeadline(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	p := newPostgres(t)
	p.migrate(t, b, files, "2")
	holder := postgres.Open(t, p.url+"&application_name=other-runner")
	tx, err := holder.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	database := p.text(t, "SELECT current_database()")
	if _, err := tx.ExecContext(t.Context(), fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", lockKey(database, "public"))); err != nil {
		t.Fatal(err)
	}
	o := p.options(t, b, files, "3")
	o.RetryTimeout = 100 * time.Millisecond
	e := migrateWith(t, o).failure(t, result.Locked, result.ReasonMigrationLocked)
	if len(e.Failure.Blockers) != 1 || e.Failure.Blockers[0].Application != "other-runner" {
		t.Errorf("the blockers are %+v", e.Failure.Blockers)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	p.migrate(t, b, files, "3")
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, append(chain(1), revisionSpec{up: "SELECT pg_sleep(60);", down: "SELECT 1;"})...)
	p := newPostgres(t)
	p.migrate(t, b, files, "1")
	o := p.options(t, b, files, "2")
	o.StatementTimeout = 50 * time.Millisecond
	got := migrateWith(t, o)
	e := got.failure(t, result.Transient, result.ReasonStatementTimeout)
	if e.Failure.Revision != 2 || got.To != 1 {
		t.Errorf("the result is %+v, failure %+v", got.Result, e.Failure)
	}
}

// TestSourceThatCannotBeRead: golang-migrate logs the error and hands over what
// it has read until then.
func TestSourceThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	for name, read := range map[string]func(string) io.Reader{
		"fails at once":     func(string) io.Reader { return failing{} },
		"fails in between":  func(body string) io.Reader { return io.MultiReader(strings.NewReader(body[:len(body)/2]), failing{}) },
		"says less":         func(body string) io.Reader { return strings.NewReader(strings.TrimSuffix(body, ";")) },
		"says more":         func(body string) io.Reader { return strings.NewReader(body + ";") },
		"says other things": func(body string) io.Reader { return strings.NewReader(strings.Replace(body, "-", "+", 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for engine, open := range engines {
				t.Run(engine, func(t *testing.T) {
					t.Parallel()
					p := open(t)

					p.migrate(t, b, files, "1")
					r, err := New(p.options(t, b, files, "3"))
					if err != nil {
						t.Fatal(err)
					}
					r.wrapSource = func(s *planSource) { s.read = read }
					res, err := r.Run(t.Context())
					outcome{Result: res, err: err}.wantReason(t, result.Permanent, result.ReasonBodyMismatch)
					if err := r.Close(); err != nil {
						t.Error(err)
					}
					if version := p.wantSound(t); version != 1 {
						t.Errorf("the database is at %d, want 1", version)
					}
				})
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// TestNoGoroutinesAreLeft: golang-migrate reads ahead, and after a failure
// nobody would ever read what it has read. Not parallel: it counts goroutines.
func TestNoGoroutinesAreLeft(t *testing.T) {
	specs := append(chain(2), revisionSpec{up: "nonsense;", down: "SELECT 1;"})
	specs = append(specs, chain(20)[3:]...)
	b, files := bundleOf(t, specs...)
	p := newSQLite(t)
	p.migrate(t, b, files, "2")
	before := runtime.NumGoroutine()
	for range 5 {
		migrateWith(t, p.options(t, b, files, "latest")).wantReason(t, result.Permanent, result.ReasonSQLError)
	}
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-deadline:
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
