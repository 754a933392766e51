// Package cgroup prepares and removes the control groups that a node's pods
// run in, for both versions of the kernel's interface.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const root = "/sys/fs/cgroup"

// ErrNotDelegated is returned when the controllers that pods need cannot be
// handed down to a sub-group.
var ErrNotDelegated = errors.New("cgroup controllers are not available")

// Unified reports whether the machine uses cgroup v2 alone. A machine that
// also has the v1 hierarchies has its controllers there.
func Unified() (bool, error) {
	var info unix.Statfs_t
	if err := unix.Statfs(root, &info); err != nil {
		return false, fmt.Errorf("looking for control groups: %w", err)
	}
	return info.Type == unix.CGROUP2_SUPER_MAGIC, nil
}

// Prepare creates the named group, which the kubelet watches, in every
// hierarchy and makes sure that pods can get their limits below it.
func Prepare(name string) error {
	unified, err := Unified()
	if err != nil {
		return err
	}
	points, err := mounted()
	if err != nil {
		return err
	}
	for _, hierarchy := range points {
		if err := os.MkdirAll(filepath.Join(hierarchy, name), 0o750); err != nil {
			return fmt.Errorf("creating control group %s: %w", name, err)
		}
	}
	if !unified {
		return nil
	}
	// From the root to the group's parent: a group has the controllers that its
	// parent hands down.
	parent := root
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if err := delegate(parent); err != nil {
			return err
		}
		parent = filepath.Join(parent, part)
	}
	return nil
}

// needed are the controllers that the kubelet insists on, as far as the kernel
// has them.
var needed = []string{"cpu", "cpuset", "hugetlb", "memory", "pids"}

// delegate hands the controllers down from a group of cgroup v2 to those in
// it. They stay so: others may have come to rely on them.
func delegate(dir string) error {
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("looking for cgroup controllers: %w", err)
	}
	wanted := handDown(string(available))
	if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(wanted), 0o600); err != nil {
		return fmt.Errorf("%w: enabling %s below %s: %w; "+
			"inside a container, move its processes out of the root group first, or use CLUSTER=current",
			ErrNotDelegated, wanted, dir, err)
	}
	return nil
}

// handDown is what to write to hand down the needed ones of the available
// controllers.
func handDown(available string) string {
	var wanted []string
	for controller := range strings.FieldsSeq(available) {
		if slices.Contains(needed, controller) {
			wanted = append(wanted, "+"+controller)
		}
	}
	return strings.Join(wanted, " ")
}

// Remove deletes the named group with its sub-groups in every hierarchy, and
// its parents as far as they are empty. Their processes must have ended; the
// kernel may take a moment longer to let go of the groups.
func Remove(ctx context.Context, name string) error {
	points, err := mounted()
	if err != nil {
		return err
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		var errs []error
		for _, hierarchy := range points {
			errs = append(errs, removeTree(filepath.Join(hierarchy, name)))
		}
		failed := errors.Join(errs...)
		if failed == nil {
			for _, hierarchy := range points {
				// Another instance may still need it.
				_ = unix.Rmdir(filepath.Join(hierarchy, filepath.Dir(name)))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing control group %s: %w", name, failed)
		case <-ticker.C:
		}
	}
}

// removeTree cannot be os.RemoveAll: the files in a control group cannot be
// removed, and need not be.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return nil
}

// Remaining lists the named group's directories that still exist.
func Remaining(name string) ([]string, error) {
	points, err := mounted()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, hierarchy := range points {
		dir := filepath.Join(hierarchy, name)
		if _, err := os.Stat(dir); err == nil {
			found = append(found, dir)
		}
	}
	return found, nil
}

// mounted returns where the control group file systems are.
func mounted() ([]string, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("looking for control groups: %w", err)
	}
	return hierarchies(string(content)), nil
}

// hierarchies reads mountinfo, see proc(5): the fifth field is the mount
// point, the type follows a dash.
func hierarchies(mountinfo string) []string {
	var points []string
	for line := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) > 4 && (strings.HasPrefix(after, "cgroup ") || strings.HasPrefix(after, "cgroup2 ")) {
			points = append(points, fields[4])
		}
	}
	return points
}
