package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	// Fields 4 (parent) and 22 (start) are those of proc(5).
	const rest = " 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0"
	for name, test := range map[string]struct {
		content string
		want    stat
		invalid bool
	}{
		"plain":               {content: "9 (etcd) S" + rest, want: stat{parent: 7, start: 4242}},
		"zombie":              {content: "9 (etcd) Z" + rest, want: stat{parent: 7, start: 4242, zombie: true}},
		"misleading command":  {content: "9 (a) Z 1 (b c) R" + rest, want: stat{parent: 7, start: 4242}},
		"cut off":             {content: "9 (etcd) S 7 1", invalid: true},
		"no command":          {content: "9 S" + rest, invalid: true},
		"start is no number":  {content: "9 (etcd) S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 x 0 0", invalid: true},
		"parent is no number": {content: "9 (etcd) S x 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0", invalid: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseStat(test.content)
			if (err != nil) != test.invalid || got != test.want {
				t.Errorf("parseStat = %+v, %v, want %+v, invalid %t", got, err, test.want, test.invalid)
			}
		})
	}
}

// start runs a process that ends only when it is told to.
func start(t *testing.T) Identity {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	return id
}

func TestSignalReachesOnlyTheVeryProcess(t *testing.T) {
	t.Parallel()
	id := start(t)
	for name, recycled := range map[string]Identity{
		"another start": {PID: id.PID, Start: id.Start + 1, Boot: id.Boot},
		"another boot":  {PID: id.PID, Start: id.Start, Boot: "before"},
		"no number":     {},
	} {
		if recycled.Alive() {
			t.Errorf("%s: alive", name)
		}
		if err := recycled.Signal(unix.SIGKILL); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !id.Alive() {
		t.Fatal("a signal meant for an earlier process reached a later one")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := AwaitExit(ctx, id); !errors.Is(err, ErrStillRunning) {
		t.Errorf("AwaitExit of a running process returned %v, want ErrStillRunning", err)
	}
	if err := id.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := AwaitExit(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestDescendants(t *testing.T) {
	t.Parallel()
	child := start(t)
	self, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	found, err := Descendants(self)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(found, child) {
		t.Errorf("descendants of this process are %v, want %v among them", found, child)
	}
	if slices.Contains(found, self) {
		t.Error("this process is its own descendant")
	}
	// This process and its child are in the same namespace.
	byInner, err := ChildrenByInnerPID(self)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := innerPID(child.PID)
	if err != nil || byInner[inner] != child {
		t.Errorf("children by inner number are %v, want %d to be %v (%v)", byInner, inner, child, err)
	}
}
