package postgres_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// holdServers makes TestHoldServers start servers and wait to be killed.
const holdServers = "SCHEMAGATE_TEST_HOLD_SERVERS"

// TestHoldServers is no test but the process that TestNothingOutlivesKill runs
// and kills.
func TestHoldServers(t *testing.T) {
	if os.Getenv(holdServers) == "" {
		return
	}
	server := postgres.Start(t)
	postgres.StartPgBouncer(t, postgres.Shared(t), postgres.PoolSession)
	if _, err := fmt.Fprintln(os.Stdout, "holding "+filepath.Dir(server.SocketDir())); err != nil {
		t.Fatal(err)
	}
	select {}
}

func TestNothingOutlivesKill(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestHoldServers$")
	cmd.Env = append(os.Environ(), holdServers+"=1")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	for lines := bufio.NewScanner(output); dir == "" && lines.Scan(); {
		dir, _ = strings.CutPrefix(lines.Text(), "holding ")
	}
	before := workingIn(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the killed process succeeded")
	}
	// Two postmasters with five processes of their own each, and PgBouncer.
	if !strings.HasPrefix(dir, "/tmp/schemagate-pg-") || len(before) < 3 {
		t.Fatalf("processes %v ran in %q, want those of two servers and PgBouncer", before, dir)
	}

	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(30 * time.Second)
	for {
		_, err := os.Stat(dir)
		left := workingIn(t, dir)
		if errors.Is(err, fs.ErrNotExist) && len(left) == 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("30 s after the kill: processes %v, directory: %v", left, err)
		case <-poll.C:
		}
	}
}

// workingIn lists the processes whose working directory is below dir.
func workingIn(tb testing.TB, dir string) []int {
	tb.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		tb.Fatal(err)
	}
	var pids []int
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ESRCH) {
			tb.Fatal(err)
		}
		if strings.HasPrefix(cwd, dir+"/") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			if err != nil {
				tb.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}
