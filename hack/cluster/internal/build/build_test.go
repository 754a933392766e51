package build

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/hack/cluster/internal/progress"
)

// testSource is a source with sources of our own, as key reads them.
func testSource(t *testing.T) Source {
	t.Helper()
	s := Source{Dir: t.TempDir(), Versions: Versions{
		Kubernetes: "v1.2.3", Etcd: "v3.0.0", Containerd: "v2.0.0", CoreDNS: "v1.0.0", Go: "go1.26", Platform: "linux-amd64",
	}}
	for _, program := range programs(s.Versions) {
		if !strings.HasPrefix(program.pkg, "./") {
			continue
		}
		dir := filepath.Join(s.Dir, program.pkg)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func key(t *testing.T, s Source) string {
	t.Helper()
	k, err := s.key()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyCoversWhatDecides(t *testing.T) {
	t.Parallel()
	s := testSource(t)
	seen := map[string]string{key(t, s): "unchanged"}
	for name, change := range map[string]func(*Source){
		"Kubernetes": func(s *Source) { s.Versions.Kubernetes = "v1.2.4" },
		"etcd":       func(s *Source) { s.Versions.Etcd = "v3.0.1" },
		"containerd": func(s *Source) { s.Versions.Containerd = "v2.0.1" },
		"CoreDNS":    func(s *Source) { s.Versions.CoreDNS = "v1.0.1" },
		"Go":         func(s *Source) { s.Versions.Go = "go1.27" },
		"platform":   func(s *Source) { s.Versions.Platform = "linux-arm64" },
	} {
		changed := s
		change(&changed)
		if other, duplicate := seen[key(t, changed)]; duplicate {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[key(t, changed)] = name
	}
	if again := key(t, s); seen[again] != "unchanged" {
		t.Error("the key is not stable")
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "cmd", "coredns", "main.go"), []byte("package main // new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, duplicate := seen[key(t, s)]; duplicate {
		t.Errorf("a changed source has the key of %s", other)
	}
}

// TestSourceIsThisModule also proves that go.mod states every version.
func TestSourceIsThisModule(t *testing.T) {
	t.Parallel()
	source, err := FindSource(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := source.Versions
	for name, version := range map[string]string{
		"Kubernetes": v.Kubernetes, "etcd": v.Etcd, "containerd": v.Containerd, "CoreDNS": v.CoreDNS,
	} {
		if !strings.HasPrefix(version, "v") || strings.Count(version, ".") != 2 {
			t.Errorf("version of %s is %q", name, version)
		}
	}
	if _, err := os.Stat(filepath.Join(source.Dir, "cmd", "coredns")); err != nil {
		t.Error(err)
	}
}

func TestProgramsHaveEveryName(t *testing.T) {
	t.Parallel()
	var names []string
	for _, program := range programs(Versions{Kubernetes: "v1.2.3"}) {
		names = append(names, program.name)
		if kubernetes := strings.HasPrefix(program.pkg, "k8s.io/"); kubernetes != strings.Contains(program.ldflags, "v1.2.3") {
			t.Errorf("%s is linked with %q", program.name, program.ldflags)
		}
	}
	for _, name := range []string{
		Etcd, APIServer, ControllerManager, Scheduler, Kubelet, Proxy, Kubectl, Containerd, ContainerdShim, Ctr, CoreDNS, Pause,
	} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not compiled", name)
		}
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	s := testSource(t) // not a module, so nothing compiles
	root := t.TempDir()
	abandoned := filepath.Join(root, key(t, s), temporaryPrefix+"1")
	if err := os.MkdirAll(abandoned, 0o700); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	_, err := Ensure(t.Context(), s, root, progress.New(&output))
	if err == nil || !strings.Contains(err.Error(), "compiling "+Pause) {
		t.Errorf("Ensure returned %v, want the name of what failed", err)
	}
	if !strings.Contains(output.String(), "FAILED") {
		t.Errorf("the report does not tell:\n%s", output.String())
	}
	left, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
