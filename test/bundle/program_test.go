package bundle_test

import (
	"context"
	"errors"
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
	// envPeak names a file that the program writes its peak memory to, as the
	// kernel spells it. What the kernel tells the parent is never less than the
	// parent's own.
	envPeak = "SCHEMAGATE_TEST_PEAK"
)

func TestMain(m *testing.M) {
	if os.Getenv(envProgram) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	code := root.Run(ctx, root.NewCmd(), os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err := writePeak(os.Getenv(envPeak)); err != nil {
		panic(err)
	}
	os.Exit(code)
}

var peak = regexp.MustCompile(`VmHWM:\s*([0-9]+) kB`)

func writePeak(file string) error {
	if file == "" {
		return nil
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	found := peak.FindSubmatch(status)
	if found == nil {
		return errors.New("/proc/self/status has no VmHWM")
	}
	return os.WriteFile(file, found[1], 0o600) //nolint:gosec // a test names the file
}

// program is the program in a process of its own, working on a database.
func (p place) program(tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0], args...) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), envProgram+"=1", "DATABASE_URL="+p.url)
	return cmd
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
