package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	plugincmd "github.com/schemagate/schemagate/internal/cmd/kubectl"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// newPlugin installs the program where kubectl finds it, and returns a function
// that prepares a call of "kubectl schemagate".
func newPlugin(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	directory := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(directory, plugincmd.PluginName), ".")
	build.Dir = apiserver.RepositoryRoot()
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return func(args ...string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), "go", append([]string{"run", ".", "exec", "--", "kubectl", "schemagate"}, args...)...)
		command.Dir = filepath.Join(apiserver.RepositoryRoot(), "hack", "cluster")
		command.Env = append(os.Environ(), "PATH="+directory+":"+os.Getenv("PATH"))
		return command
	}
}

// screen keeps what a command writes, while it writes.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shows waits until something is to be seen.
func (s *screen) shows(t *testing.T, pattern string) {
	t.Helper()
	apiserver.Eventually(t, func(context.Context) (bool, string) {
		return regexp.MustCompile(pattern).MatchString(s.String()), fmt.Sprintf("there is no %s in:\n%s", pattern, s)
	})
}

// start runs a command beside the test, and returns its screen and what waits for
// its end.
func start(t *testing.T, command *exec.Cmd) (out *screen, end func() error) {
	t.Helper()
	out = &screen{}
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return out, command.Wait
}

// manyMessages makes revision 49, which copies messages to a table of their own, a
// heavy one.
const manyMessages = `INSERT INTO chat (id, user_id, title, chat, archived, created_at, updated_at)
	SELECT 'c' || c, 'u1', 'Chat ' || c, (SELECT json_build_object('history', json_build_object('currentId', 'm1', 'messages',
		json_object_agg('m' || n, json_build_object('id', 'm' || n, 'parentId', NULL, 'role', 'user', 'content', 'Hello', 'timestamp', 1))))
		FROM generate_series(1, 50) AS n), false, 1, 1 FROM generate_series(1, 200) AS c`

// TestKubectl goes through an upgrade by nothing but kubectl: what it would do, the
// approval, and its progress as lines and on a terminal, with a heavy step and a
// lock that is waited for.
func TestKubectl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plugin := newPlugin(t)
	call := func(args ...string) *exec.Cmd { return plugin(append(args, "-n", w.namespace)...) }
	says := func(output, want string) {
		t.Helper()
		if !strings.Contains(output, want) {
			t.Errorf("there is no %q in:\n%s", want, output)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		output, err := call(args...).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", args, err, output)
		}
		return string(output)
	}
	schema := w.newSchema()
	schema.Spec.Rollout.IgnoreSessions = []string{"somebody"}
	create(t, schema)
	create(t, w.newDeployment(laterRelease, 1))
	w.awaitRelease(laterRelease, 1)
	w.exec(manyMessages)
	w.exec("VACUUM ANALYZE chat")
	run("verify", schemaName) // which has a Job see how large the table is
	pods, err := w.pods(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	says(run("watch", schemaName), "UpToDate")
	says(run("doctor"), "0 errors")

	// Somebody reads a table that the last revision alone has to have for itself.
	conn, err := w.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"SET application_name = 'somebody'", "BEGIN", "LOCK TABLE memory IN ACCESS SHARE MODE"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	w.release(lastRelease)
	w.awaitWaiting(lastRelease)
	says(run("plan", schemaName), "needed: kubectl schemagate approve")
	plan := run("plan", schemaName)
	for _, want := range []string{"from revision 34 (9f0c9cd09105", "up to 60 (a0b1c2d3e4f5", "breaking", "lost", "Auto, which means Drain", pods[0].Name, "or less where", "read whole by", "about 200 rows"} {
		says(plan, want)
	}
	lines, linesEnd := start(t, call("watch", schemaName, "--timeout=5m"))
	lines.shows(t, "AwaitingApproval")
	// A terminal of its own, as people have one.
	inner := call("watch", schemaName, "--timeout=5m")
	terminal := exec.CommandContext(t.Context(), "script", "--quiet", "--return", "--flush", "--command", strings.Join(inner.Args, " "), "/dev/null")
	terminal.Dir, terminal.Env = inner.Dir, slices.Concat(inner.Env, []string{"TERM=xterm"})
	live, liveEnd := start(t, terminal)
	says(run("approve", schemaName, "--yes"), "approved")

	lines.shows(t, `chat_messages: \d+ of \d+ rows`)
	lines.shows(t, "TableLocked")
	live.shows(t, `\[=+ +\] 25/26`)
	live.shows(t, `1 pod waiting: open-webui-\S+ needs 60 \(0\.9\.5\)`)
	status := run("status", schemaName)
	says(status, "Held, Migrating: no pod starts")
	says(status, "needs 60 (0.9.5)")
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := linesEnd(); err != nil {
		t.Errorf("watch: %v\n%s", err, lines)
	}
	if err := liveEnd(); err != nil {
		t.Errorf("watch on a terminal: %v\n%s", err, live)
	}
	for _, want := range []string{"planned ", "applied revision 60 (a0b1c2d3e4f5)", "UpToDate"} {
		says(lines.String(), want)
	}
	if strings.Contains(lines.String(), "\x1b") || !strings.Contains(live.String(), "\x1b[J") {
		t.Errorf("it is drawn where there is no terminal, or not where there is one:\n%s\n%q", lines, live)
	}
	w.awaitRelease(lastRelease, 1)
	says(run("history", schemaName), "34 (0.6.6) -> 60 (0.9.3)")
	says(run("verify", schemaName), "is what that leaves")
}
