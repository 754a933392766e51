package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/cgroup"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/network"
	"github.com/schemagate/schemagate/hack/cluster/internal/process"
	"github.com/schemagate/schemagate/hack/cluster/internal/supervisor"
)

// ErrRemains is returned by Down when something of the node is still there.
var ErrRemains = errors.New("something of the node remains")

// How long the node may take to end by itself, and once it is killed.
const (
	politeEnd = 20 * time.Second
	forcedEnd = 20 * time.Second
)

// Down ends the node and removes it. With keepData the next Up continues with
// the same cluster; otherwise only the logs stay. Without a node it does
// nothing.
func (c *Cluster) Down(ctx context.Context, keepData bool) error {
	unlock, err := c.Instance.Lock(ctx, func() { c.Report.Say("waiting for another command on instance %s", c.Instance.Name) })
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.Instance.CheckOwner(); err != nil {
		return err
	}
	record, err := c.attach()
	if errors.Is(err, instance.ErrNotStarted) {
		// A start that failed early may have left a directory or a reservation.
		c.Report.Say("instance %s is not started", c.Instance.Name)
		return errors.Join(c.clear(ctx), c.discard(ctx))
	}
	if err != nil {
		return err
	}
	step := c.Report.Step("ending node " + c.Instance.NodeName())
	if err := errors.Join(c.end(ctx, record), c.clear(ctx)); err != nil {
		step.Failed()
		return err
	}
	step.Done()
	if !keepData {
		if err := c.discard(ctx); err != nil {
			return err
		}
	}
	return c.remains()
}

// discard gives up the cluster's data and the instance's addresses.
func (c *Cluster) discard(ctx context.Context) error {
	if err := c.removeFiles(); err != nil {
		return err
	}
	return c.release(ctx)
}

// end ends all processes of the node: politely by its first process, then by
// killing that one, which makes the kernel kill the others.
func (c *Cluster) end(ctx context.Context, record instance.Record) error {
	if !record.Supervisor.Alive() {
		return c.endRecorded(ctx, record)
	}
	// Taken before the end, when it can still be seen what belongs to the node.
	all, err := process.Descendants(record.Supervisor)
	if err != nil {
		return err
	}
	all = append(all, record.Supervisor)
	for _, attempt := range []struct {
		signal unix.Signal
		grace  time.Duration
	}{{unix.SIGTERM, politeEnd}, {unix.SIGKILL, forcedEnd}} {
		if err := record.Supervisor.Signal(attempt.signal); err != nil {
			return err
		}
		err = awaitExit(ctx, attempt.grace, all)
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrRemains, err)
}

// endRecorded is for the case that the first process was killed. Its
// components were killed by the kernel with it; this makes sure.
func (c *Cluster) endRecorded(ctx context.Context, record instance.Record) error {
	all := make([]process.Identity, 0, len(record.Components))
	for _, id := range record.Components {
		all = append(all, id)
		if err := id.Signal(unix.SIGKILL); err != nil {
			return err
		}
	}
	if err := awaitExit(ctx, forcedEnd, all); err != nil {
		return fmt.Errorf("%w: %w", ErrRemains, err)
	}
	return nil
}

func awaitExit(ctx context.Context, grace time.Duration, all []process.Identity) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	return process.AwaitExit(ctx, all...)
}

// clear removes what the machine keeps of a node whose processes have ended.
func (c *Cluster) clear(ctx context.Context) error {
	if record, err := c.Instance.Load(); err == nil {
		if err := c.endRecorded(ctx, record); err != nil {
			return err
		}
		// Only an instance with a record knows which interface is its own.
		if err := c.disconnect(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, forcedEnd)
	defer cancel()
	if err := cgroup.Remove(ctx, c.Instance.Cgroup()); err != nil {
		return err
	}
	if err := os.RemoveAll(c.Instance.RunDir()); err != nil {
		return fmt.Errorf("removing the sockets: %w", err)
	}
	return nil
}

func (c *Cluster) disconnect() error {
	foreign, err := c.Instance.HeldByOther()
	if err != nil || foreign {
		return err
	}
	if err := network.Disconnect(c.Instance); err != nil {
		return err
	}
	connected, err := network.Connected(c.Instance)
	if err == nil && connected {
		err = fmt.Errorf("%w: interface %s", ErrRemains, c.Instance.LinkName())
	}
	return err
}

// removeFiles deletes the state but not the logs.
func (c *Cluster) removeFiles() error {
	// Deleting through a mount would delete what is mounted.
	mounts, err := mountsBelow(c.Instance.StateDir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%w: mounted below its directory: %s", ErrRemains, strings.Join(mounts, ", "))
	}
	entries, err := os.ReadDir(c.Instance.StateDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("listing the state of instance %s: %w", c.Instance.Name, err)
	}
	for _, entry := range entries {
		path := filepath.Join(c.Instance.StateDir, entry.Name())
		if path == c.Instance.LogDir() {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing the state of instance %s: %w", c.Instance.Name, err)
		}
	}
	return nil
}

// release gives the addresses back. The last instance also removes the mount
// points; as long as another runs, that would undo its mounts.
func (c *Cluster) release(ctx context.Context) error {
	last, err := instance.Release(ctx, c.Instance)
	if err != nil || !last {
		return err
	}
	for _, point := range supervisor.MountPoints {
		// One that is in use by others is not empty.
		_ = unix.Rmdir(point)
	}
	return nil
}

// remains looks for anything that should be gone.
func (c *Cluster) remains() error {
	groups, err := cgroup.Remaining(c.Instance.Cgroup())
	if err != nil {
		return err
	}
	mounts, err := mountsBelow(c.Instance.StateDir)
	if err != nil {
		return err
	}
	if found := slices.Concat(groups, mounts); len(found) > 0 {
		return fmt.Errorf("%w: %s", ErrRemains, strings.Join(found, ", "))
	}
	return nil
}

// mountsBelow lists mount points in or below the directory, see proc(5) on
// mountinfo: the fifth field is the mount point.
func mountsBelow(dir string) ([]string, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	var found []string
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4]+"/", dir+"/") {
			found = append(found, fields[4])
		}
	}
	return found, nil
}
