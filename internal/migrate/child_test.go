package migrate

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/dburl"
)

// The environment that makes this test binary a migration instead.
const (
	envChildURL    = "SCHEMAGATE_TEST_CHILD_URL"
	envChildTarget = "SCHEMAGATE_TEST_CHILD_TARGET"
	// envKills and envSeed change how often, and when, children are killed.
	envKills = "SCHEMAGATE_TEST_KILLS"
	envSeed  = "SCHEMAGATE_TEST_SEED"
)

// childRevisions is the length of the chain that children migrate.
const childRevisions = 12

func TestMain(m *testing.M) {
	if url := os.Getenv(envChildURL); url != "" {
		os.Exit(child(url, os.Getenv(envChildTarget)))
	}
	os.Exit(m.Run())
}

// child migrates once, as the program does, and returns its exit code.
func child(url, target string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	tb := &childTB{}
	b, files := bundleOf(tb, childChain()...)
	d, err := dburl.Parse(url)
	if err != nil {
		panic(err)
	}
	r, err := New(Options{
		Bundle: b, Files: files, Database: d, Target: target, AllowDowngrade: true, Version: "child", RetryTimeout: 20 * time.Second,
		Report: func(e Event) {
			if e.Kind == EventStarted {
				_, _ = fmt.Fprintln(os.Stdout, e.Revision)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	res, err := r.Run(ctx)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
	}
	if err := r.Close(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
	}
	return res.ExitCode()
}

// childChain is a chain whose last revision takes long.
func childChain() []revisionSpec {
	specs := chain(childRevisions)
	return append(specs, revisionSpec{
		up:   "INSERT INTO t (id) VALUES (13);\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n;",
		down: "DELETE FROM t WHERE id = 13;",
	})
}

// childTB stands in for a test in the child process.
type childTB struct{ testing.TB }

func (childTB) Helper() {}

func (childTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// startChild begins a migration in a process of its own.
func startChild(tb testing.TB, p place, target string) *exec.Cmd {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0]) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), envChildURL+"="+p.url, envChildTarget+"="+target)
	return cmd
}
