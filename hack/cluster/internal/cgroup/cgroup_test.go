package cgroup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHierarchies(t *testing.T) {
	t.Parallel()
	const hybrid = `24 27 0:22 / /proc rw,nosuid - proc proc rw
30 27 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:29 / /sys/fs/cgroup/memory rw,relatime shared:3 - cgroup cgroup rw,memory
41 30 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
	want := []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"}
	if diff := cmp.Diff(want, hierarchies(hybrid)); diff != "" {
		t.Errorf("unexpected hierarchies (-want +got):\n%s", diff)
	}
}

func TestHandDown(t *testing.T) {
	t.Parallel()
	// What the kernels of Debian 12 and of a small virtual machine offer.
	for available, want := range map[string]string{
		"cpuset cpu io memory hugetlb pids rdma misc\n": "+cpuset +cpu +memory +hugetlb +pids",
		"cpu memory pids\n":                             "+cpu +memory +pids",
	} {
		if got := handDown(available); got != want {
			t.Errorf("handDown(%q) = %q, want %q", available, got, want)
		}
	}
}

func TestRemoveTree(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "group")
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "c"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to remove
		if err := removeTree(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the group is still there: %v", err)
	}
}

func TestRemoveTreeReportsWhatIsInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// A file stands for a process: both keep the kernel from removing a group.
	if err := os.WriteFile(filepath.Join(dir, "busy"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(dir); err == nil {
		t.Error("removing a group in use returned no error")
	}
}
