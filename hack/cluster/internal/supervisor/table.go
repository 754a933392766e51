package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/process"
)

// table holds the components in the order in which they were first started.
type table struct {
	mu      sync.Mutex
	entries []*entry
}

type entry struct {
	spec   Spec
	status Status
	ended  chan struct{}
}

// ensure starts the component unless it already runs by the same spec; one
// that runs by another spec is replaced.
func (t *table) ensure(ctx context.Context, spec Spec) (Status, error) {
	t.mu.Lock()
	current := t.find(spec.Name)
	if current != nil && current.status.Running && current.spec.equal(spec) && !dying(current.status.PID) {
		defer t.mu.Unlock()
		return current.status, nil
	}
	t.mu.Unlock()
	if current != nil {
		if err := t.stop(ctx, current); err != nil {
			return Status{}, err
		}
	}
	return t.start(ctx, spec)
}

// dying reports whether a process has ended but cannot be reaped yet. One with
// several threads is a zombie from the end of its first to that of its last.
func dying(pid int) bool {
	id, err := process.Identify(pid)
	return err != nil || !id.Alive()
}

// start holds the lock from before the process exists until it is in the
// table: the reaper must not meet a process it does not know yet.
func (t *table) start(ctx context.Context, spec Spec) (Status, error) {
	log, err := os.OpenFile(filepath.Clean(spec.Log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Status{}, fmt.Errorf("opening the log of %s: %w", spec.Name, err)
	}
	defer func() { _ = log.Close() }() // the component has its own descriptor

	t.mu.Lock()
	defer t.mu.Unlock()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), spec.Args[0], spec.Args[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = spec.Env, "/", log, log
	// A session of its own, so that no signal meant for one reaches another.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return Status{}, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	started := &entry{
		spec:   spec,
		status: Status{Name: spec.Name, PID: cmd.Process.Pid, Running: true, Started: time.Now()},
		ended:  make(chan struct{}),
	}
	// The reaper waits for it, not os/exec.
	if err := cmd.Process.Release(); err != nil {
		return Status{}, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	if at := slices.IndexFunc(t.entries, func(e *entry) bool { return e.spec.Name == spec.Name }); at >= 0 {
		t.entries[at] = started
	} else {
		t.entries = append(t.entries, started)
	}
	return started.status, nil
}

// stopGrace is how long a component may take to end after SIGTERM.
const stopGrace = 5 * time.Second

func (t *table) stop(ctx context.Context, e *entry) error {
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := t.signal(e, signal); err != nil {
			return fmt.Errorf("stopping %s: %w", e.spec.Name, err)
		}
		grace := time.NewTimer(stopGrace)
		select {
		case <-e.ended:
			grace.Stop()
			return nil
		case <-ctx.Done():
			grace.Stop()
			return fmt.Errorf("stopping %s: %w", e.spec.Name, ctx.Err())
		case <-grace.C:
		}
	}
	return fmt.Errorf("stopping %s: still running after SIGKILL", e.spec.Name)
}

// signal holds the lock: as long as the component is not reaped, its number
// is its own.
func (t *table) signal(e *entry, signal unix.Signal) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !e.status.Running {
		return nil
	}
	if err := unix.Kill(e.status.PID, signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// reap collects every ended process of the node: the components, and the
// orphans that the kernel gave to its first process.
func (t *table) reap() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, e := range t.entries {
			if e.status.Running && e.status.PID == pid {
				e.status.Running, e.status.Ended = false, describe(status)
				close(e.ended)
			}
		}
	}
}

func describe(status unix.WaitStatus) string {
	if status.Signaled() {
		return "killed by " + unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

func (t *table) statuses() []Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Status, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e.status)
	}
	return all
}

// stopAll ends the components in the reverse order of their start, so that
// none sees the one it depends on go away first.
func (t *table) stopAll(ctx context.Context) error {
	t.mu.Lock()
	entries := slices.Clone(t.entries)
	t.mu.Unlock()
	var errs []error
	for _, e := range slices.Backward(entries) {
		errs = append(errs, t.stop(ctx, e))
	}
	return errors.Join(errs...)
}

func (t *table) find(name string) *entry {
	for _, e := range t.entries {
		if e.spec.Name == name {
			return e
		}
	}
	return nil
}
