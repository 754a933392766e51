package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/progress"
)

func testCluster(t *testing.T) *Cluster {
	t.Helper()
	inst := instance.Instance{Name: "a", Slot: 1, StateDir: t.TempDir()}
	if err := os.MkdirAll(inst.LogDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Cluster{Instance: inst, Report: progress.New(t.Output())}
}

// TestAddonsAreWhereTheySay guards server-side apply, which takes the name
// from the address and refuses another in the object.
func TestAddonsAreWhereTheySay(t *testing.T) {
	t.Parallel()
	for _, each := range testCluster(t).addons() {
		var object struct {
			APIVersion string `json:"apiVersion"`
			Metadata   struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(each.yaml), &object); err != nil {
			t.Errorf("%s: %v", each.path, err)
			continue
		}
		inNamespace := strings.Contains(each.path, "/namespaces/"+object.Metadata.Namespace+"/")
		if object.Metadata.Name != path.Base(each.path) || inNamespace != (object.Metadata.Namespace != "") || !strings.Contains(each.path, object.APIVersion) {
			t.Errorf("%s holds %+v", each.path, object)
		}
		if strings.Contains(each.yaml, "_ADDRESS") || strings.Contains(each.yaml, "USER_") || strings.Contains(each.yaml, "NODE_NAME") {
			t.Errorf("%s is not filled in:\n%s", each.path, each.yaml)
		}
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	asked := 0
	err := c.await(t.Context(), "waiting", "etcd", func(context.Context) error {
		if asked++; asked < 3 {
			return errNotYet
		}
		return nil
	})
	if err != nil || asked != 3 {
		t.Errorf("await asked %d times and returned %v", asked, err)
	}
}

func TestAwaitExplains(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	var log strings.Builder
	for n := range 100 {
		_, _ = fmt.Fprintf(&log, "line %d.\n", n)
	}
	if err := os.WriteFile(c.Instance.Log("etcd"), []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := c.await(ctx, "waiting", "etcd", func(context.Context) error {
		cancel()
		return errNotYet
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errNotYet) {
		t.Fatalf("await returned %v, want why it ended and what was missing", err)
	}
	for text, wanted := range map[string]bool{
		"line 99.": true, "line 85.": true, "line 84.": false, c.Instance.Log("etcd"): true, "run down and then up": true,
	} {
		if strings.Contains(err.Error(), text) != wanted {
			t.Errorf("%q in the error: %t, want %t:\n%v", text, !wanted, wanted, err)
		}
	}
}

func TestRemoveFilesKeepsLogs(t *testing.T) {
	t.Parallel()
	c := testCluster(t)
	for _, dir := range []string{c.Instance.PKIDir(), c.Instance.DataDir("etcd")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Instance.Save(instance.Record{}); err != nil {
		t.Fatal(err)
	}
	if err := c.removeFiles(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(c.Instance.StateDir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "logs" {
		t.Errorf("left are %v (%v), want the logs", entries, err)
	}
}

func TestMountsBelow(t *testing.T) {
	t.Parallel()
	// Every Linux system has /proc, and many more mounts than that below /.
	proc, err := mountsBelow("/proc")
	if err != nil || len(proc) == 0 || proc[0] != "/proc" {
		t.Errorf("mountsBelow(/proc) = %v, %v", proc, err)
	}
	if found, err := mountsBelow("/pro"); err != nil || len(found) > 0 {
		t.Errorf("mountsBelow(/pro) = %v, %v, want none", found, err)
	}
}
