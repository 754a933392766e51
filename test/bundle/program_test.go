package bundle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/root"
	people "github.com/schemagate/schemagate/internal/testing/history"
)

const (
	// envProgram makes this test binary the program itself.
	envProgram = "SCHEMAGATE_TEST_PROGRAM"
	// envKills and envSeed change how often, and when, the program is killed.
	envKills = "SCHEMAGATE_TEST_KILLS"
	envSeed  = "SCHEMAGATE_TEST_SEED"
)

func TestMain(m *testing.M) {
	if os.Getenv(envProgram) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	code := root.Run(ctx, root.NewCmd(), os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// program is the program in a process of its own, working on a database.
func (p place) program(tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0], args...) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), envProgram+"=1", "DATABASE_URL="+p.url)
	return cmd
}

// line is what the program writes about a revision, or in the end.
type line struct {
	Kind            string  `json:"kind"`
	Revision        int     `json:"revision"`
	DurationSeconds float64 `json:"durationSeconds"`
	Outcome         string  `json:"outcome"`
	To              int     `json:"to"`
}

func lines(tb testing.TB, output []byte) (out []line) {
	tb.Helper()
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var l line
		err := decoder.Decode(&l)
		if err == io.EOF {
			return out
		}
		if err != nil {
			tb.Fatalf("%v, in\n%s", err, output)
		}
		out = append(out, l)
	}
}

var (
	drawn  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	moment = regexp.MustCompile(`\b[0-9]{10}\b`)
)

// settled returns all rows as lines, without what is drawn by lot or is the time
// of the migration.
func (p place) settled(tb testing.TB) []string {
	tb.Helper()
	all := p.rows(tb)
	for table := range all {
		if strings.HasPrefix(table, "schema") {
			delete(all, table)
		}
	}
	now := time.Now().Unix()
	out := all.lines(p.catalog(tb))
	for i := range out {
		out[i] = drawn.ReplaceAllStringFunc(out[i], func(id string) string {
			if strings.Contains(id, "-0000-4000-8000-") {
				return id // one of the history's own
			}
			return "an id"
		})
		out[i] = moment.ReplaceAllStringFunc(out[i], func(digits string) string {
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > now-3600 && n <= now {
				return "now"
			}
			return digits
		})
	}
	slices.Sort(out)
	return out
}

func number(tb testing.TB, env string, otherwise int) int {
	tb.Helper()
	if os.Getenv(env) == "" {
		return otherwise
	}
	n, err := strconv.Atoi(os.Getenv(env))
	if err != nil {
		tb.Fatalf("%s: %v", env, err)
	}
	return n
}

// TestKilledAnywhere migrates a history of people's chats in a process that is
// killed at moments drawn by lot, and begun again. In the end everything is as
// after an undisturbed run.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	kills, seed := number(t, envKills, 12), number(t, envSeed, 1)
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			disturbed, calm := open(t), open(t)
			for _, p := range []place{disturbed, calm} {
				p.migrate(t, people.Revision, bundle.BirthPeewee)
				if err := people.Load(t.Context(), p.db, p.dialect, people.Size{Chats: 400, Messages: 20}); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if output, err := calm.program(t, "migrate", "--to=76", "--output=json").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			whole := time.Since(began)

			random := rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // to be repeated
			killed := 0
			for range kills {
				cmd := disturbed.program(t, "migrate", "--to=76", "--output=json")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				// What is left takes less than all of it.
				timer := time.AfterFunc(time.Duration(random.Int64N(int64(whole/2))), func() { _ = cmd.Process.Kill() })
				err := cmd.Wait()
				timer.Stop()
				if err == nil {
					break
				}
				if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
					t.Fatalf("it failed by itself: %v", err)
				}
				killed++
			}
			if output, err := disturbed.program(t, "migrate", "--to=76", "--output=json").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			t.Logf("killed %d times with the seed %d; %s and %s change that", killed, seed, envKills, envSeed)
			if killed == 0 {
				t.Error("it was never killed: the test has tested nothing")
			}
			if diff := cmp.Diff(calm.catalog(t).lines, disturbed.catalog(t).lines); diff != "" {
				t.Errorf("the catalogs differ (-calm +disturbed):\n%s", diff)
			}
			want, got := calm.settled(t), disturbed.settled(t)
			if len(want) < 400*20 {
				t.Errorf("there are only %d rows", len(want))
			}
			if !slices.Equal(want, got) {
				t.Errorf("the rows differ (-calm +disturbed):\n%.4000s", cmp.Diff(want, got))
			}
		})
	}
}

// BenchmarkLargeHistory migrates 20,000 chats of 20 messages from revision 22 to
// the last one, in a process of its own, and compares the two heaviest revisions
// with the database's own work on the same bytes. SCHEMAGATE_BENCH_CHATS is
// another number of chats.
func BenchmarkLargeHistory(b *testing.B) {
	size := people.Size{Chats: number(b, "SCHEMAGATE_BENCH_CHATS", 20_000), Messages: 20}
	for dialect, open := range engines {
		b.Run(string(dialect), func(b *testing.B) {
			for b.Loop() {
				benchLargeHistory(b, open(b), size)
			}
			b.ReportMetric(0, "ns/op") // it would count loading
		})
	}
}

func benchLargeHistory(b *testing.B, p place, size people.Size) {
	b.Helper()
	p.migrate(b, people.Revision, bundle.BirthPeewee)
	if err := people.Load(b.Context(), p.db, p.dialect, size); err != nil {
		b.Fatal(err)
	}
	statements := floors[string(p.dialect)]
	b.ReportMetric(p.timed(b, statements[23]), "floor-23-s")

	cmd := p.program(b, "migrate", "--to=76", "--output=json")
	began := time.Now()
	output, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v: %s", err, output)
	}
	total := time.Since(began).Seconds()
	b.ReportMetric(total, "total-s")
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		b.ReportMetric(float64(usage.Maxrss)/1024, "peak-MiB")
		b.ReportMetric(float64(usage.Utime.Sec)+float64(usage.Utime.Usec)/1e6, "cpu-s")
	}
	for _, l := range lines(b, output) {
		if l.Kind == "applied" && l.DurationSeconds > total/40 {
			b.ReportMetric(l.DurationSeconds, fmt.Sprintf("revision-%d-s", l.Revision))
		}
	}
	b.ReportMetric(p.timed(b, statements[49]), "floor-49-s")
}

// floors are what the databases need for the bytes of a revision.
var floors = map[string]map[int]string{
	"postgres": {
		23: `ALTER TABLE chat ALTER COLUMN chat TYPE json USING chat::json`,
		49: `CREATE TABLE floor (LIKE chat_message INCLUDING ALL); INSERT INTO floor SELECT * FROM chat_message`,
	},
	"sqlite": {
		23: `CREATE TABLE floor AS SELECT * FROM chat`,
		49: `CREATE TABLE floor AS SELECT * FROM chat_message`,
	},
}

// timed runs statements in a transaction that it takes back, and returns how many
// seconds they took.
func (p place) timed(tb testing.TB, statements string) float64 {
	tb.Helper()
	tx, err := p.db.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	began := time.Now()
	if _, err := tx.ExecContext(tb.Context(), statements); err != nil {
		tb.Fatal(err)
	}
	took := time.Since(began).Seconds()
	if err := tx.Rollback(); err != nil {
		tb.Fatal(err)
	}
	return took
}
