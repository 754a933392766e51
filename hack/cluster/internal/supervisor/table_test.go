package supervisor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/process"
)

// newTable is a table that is told about ended processes, as in a node. Tests
// that use one reap every child of this process and cannot run in parallel.
func newTable(t *testing.T) *table {
	t.Helper()
	components := new(table)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range ended {
			components.reap()
		}
	}()
	t.Cleanup(func() {
		if err := components.stopAll(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		signal.Stop(ended)
		close(ended)
		<-done
	})
	return components
}

func shell(t *testing.T, name, script string) Spec {
	t.Helper()
	return Spec{Name: name, Args: []string{"/bin/sh", "-c", script}, Env: []string{"GREETING=hello"}, Log: filepath.Join(t.TempDir(), "log")}
}

func ensure(t *testing.T, components *table, spec Spec) Status {
	t.Helper()
	status, err := components.ensure(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func TestEnsure(t *testing.T) {
	components := newTable(t)
	spec := shell(t, "one", "exec sleep 600")
	first := ensure(t, components, spec)
	if again := ensure(t, components, spec); again.PID != first.PID {
		t.Errorf("process %d was replaced by %d for the same spec", first.PID, again.PID)
	}
	spec.Digest = "other"
	changed := ensure(t, components, spec)
	if changed.PID == first.PID {
		t.Error("a changed spec did not replace the process")
	}
	if err := unix.Kill(first.PID, 0); err == nil {
		t.Error("the replaced process still runs")
	}
	if statuses := components.statuses(); len(statuses) != 1 || !statuses[0].Running {
		t.Errorf("statuses are %+v, want one that runs", statuses)
	}
}

func TestEndIsTold(t *testing.T) {
	for name, test := range map[string]struct{ script, ended string }{
		"status": {"echo $GREETING; exit 3", "exit status 3"},
		"signal": {"echo $GREETING; kill -9 $$", "killed by SIGKILL"},
	} {
		t.Run(name, func(t *testing.T) {
			components := newTable(t)
			spec := shell(t, "one", test.script)
			ensure(t, components, spec)
			<-components.entries[0].ended
			status := components.statuses()[0]
			if status.Running || status.Ended != test.ended {
				t.Errorf("status is %+v, want ended %q", status, test.ended)
			}
			log, err := os.ReadFile(spec.Log)
			if err != nil || string(log) != "hello\n" {
				t.Errorf("the log is %q (%v), want the greeting", log, err)
			}
			if again := ensure(t, components, spec); !again.Running || again.PID == status.PID {
				t.Errorf("an ended component was not started again: %+v", again)
			}
		})
	}
}

// TestEnsureOfAZombie: a component that was killed and is not reaped yet does not
// run, although its end is not known yet.
func TestEnsureOfAZombie(t *testing.T) {
	components := new(table) // which nobody tells about ended processes
	spec := shell(t, "one", "exec sleep 600")
	killed := ensure(t, components, spec)
	id, err := process.Identify(killed.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := process.AwaitExit(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	asked := make(chan Status)
	go func() {
		defer close(asked)
		status, err := components.ensure(t.Context(), spec)
		if err != nil {
			t.Error(err)
		}
		asked <- status
	}()
	select {
	case status := <-asked:
		t.Errorf("before the process was reaped, the answer is %+v", status)
	case <-time.After(100 * time.Millisecond):
	}
	components.reap()
	if again := <-asked; !again.Running || again.PID == killed.PID {
		t.Errorf("the killed component was not started again: %+v", again)
	}
	done := make(chan error)
	go func() { done <- components.stopAll(context.WithoutCancel(t.Context())) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(10 * time.Millisecond):
			components.reap()
		}
	}
}

func TestStopAllStopsInReverse(t *testing.T) {
	components := newTable(t)
	order := filepath.Join(t.TempDir(), "order")
	for _, name := range []string{"first", "second", "third"} {
		ready := filepath.Join(t.TempDir(), "ready")
		if err := unix.Mkfifo(ready, 0o600); err != nil {
			t.Fatal(err)
		}
		// It may only be stopped once it knows what to do then; reading the
		// pipe waits for that.
		ensure(t, components, shell(t, name, "trap 'echo "+name+" >> "+order+"; exit' TERM; echo > "+ready+"; while :; do sleep 0.01; done"))
		if _, err := os.ReadFile(ready); err != nil {
			t.Fatal(err)
		}
	}
	if err := components.stopAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(order)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("third\nsecond\nfirst\n", string(got)); diff != "" {
		t.Errorf("unexpected order (-want +got):\n%s", diff)
	}
}

func TestHandler(t *testing.T) {
	components := newTable(t)
	server := httptest.NewServer(handler(components))
	defer server.Close()
	put := func(body string) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/components", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	order, err := json.Marshal(shell(t, "one", "exec sleep 600"))
	if err != nil {
		t.Fatal(err)
	}
	var status Status
	if err := json.NewDecoder(put(string(order)).Body).Decode(&status); err != nil || !status.Running {
		t.Errorf("answer %+v, %v, want a running component", status, err)
	}
	for _, body := range []string{"{", `{"name":"two","args":["/nowhere"],"log":"/dev/null"}`, `{"name":"two","args":["/bin/true"],"log":"/nowhere/log"}`} {
		if response := put(body); response.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s: %s, want an error", body, response.Status)
		}
	}
	if statuses := components.statuses(); len(statuses) != 1 {
		t.Errorf("statuses are %+v, want one", statuses)
	}
}

func TestRunRefusesToBeCalledByHand(t *testing.T) {
	if err := Run(t.Context(), "{}"); err == nil {
		t.Error("Run outside a node returned no error")
	}
}
