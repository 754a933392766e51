package components

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/hack/cluster/internal/build"
	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/pki"
	"github.com/schemagate/schemagate/hack/cluster/internal/supervisor"
)

func prepare(t *testing.T, s Settings) []supervisor.Spec {
	t.Helper()
	if err := pki.NewStore(s.Instance).Ensure(s.Instance); err != nil {
		t.Fatal(err)
	}
	plan, err := Prepare(s)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(plan.Base, plan.Rest)
}

func testSettings(t *testing.T) Settings {
	t.Helper()
	return Settings{
		Instance: instance.Instance{Name: "a", Slot: 2, StateDir: t.TempDir()},
		Binaries: build.Binaries{Dir: "/programs"}, Snapshotter: "overlayfs", PluginDir: "/plugins",
	}
}

func TestArgumentsNameExistingFiles(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	for _, spec := range prepare(t, s) {
		for _, argument := range spec.Args {
			at := strings.Index(argument, s.Instance.StateDir)
			if at < 0 {
				continue
			}
			if _, err := os.Stat(argument[at:]); err != nil {
				t.Errorf("%s: %v", spec.Name, err)
			}
		}
	}
}

func TestDigestCoversContentOfTheSameLength(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	seen := make(map[string]bool)
	for _, content := range []string{"one", "two", "three"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		digest, err := digestOf([]string{path})
		if err != nil || seen[digest] {
			t.Errorf("digest of %q is %s (%v), which another content has", content, digest, err)
		}
		seen[digest] = true
	}
}

// TestNothingIsInsecure guards the arguments that decide who gets in.
func TestNothingIsInsecure(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	arguments := make(map[string]string)
	for _, spec := range prepare(t, s) {
		arguments[spec.Name] = strings.Join(spec.Args, " ")
	}
	for _, want := range []string{"--anonymous-auth=false", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"} {
		if !strings.Contains(arguments[build.APIServer], want) {
			t.Errorf("kube-apiserver lacks %s", want)
		}
	}
	for _, want := range []string{"--client-cert-auth", "--peer-client-cert-auth"} {
		if !strings.Contains(arguments[build.Etcd], want) {
			t.Errorf("etcd lacks %s", want)
		}
	}
	for name, all := range arguments {
		for _, unwanted := range []string{"insecure", "http://", "AlwaysAllow"} {
			if strings.Contains(all, unwanted) {
				t.Errorf("%s has %s", name, unwanted)
			}
		}
	}
	kubelet, err := yaml.Marshal(s.kubeletConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mode: Webhook", "anonymous:\n    enabled: false", "readOnlyPort: 0"} {
		if !strings.Contains(string(kubelet), want) {
			t.Errorf("the kubelet's configuration lacks %q:\n%s", want, kubelet)
		}
	}
}

func TestDigestCoversConfiguration(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	digests := func(specs []supervisor.Spec) map[string]string {
		found := make(map[string]string)
		for _, spec := range specs {
			found[spec.Name] = spec.Digest
		}
		return found
	}
	before := digests(prepare(t, s))
	for name, digest := range digests(prepare(t, s)) {
		if digest != before[name] {
			t.Errorf("the digest of %s is not stable", name)
		}
	}
	s.UnifiedCgroups = true
	for name, digest := range digests(prepare(t, s)) {
		if (digest != before[name]) != (name == build.Kubelet) {
			t.Errorf("another version of control groups: digest of %s changed %t", name, digest != before[name])
		}
	}
}

func TestFailCgroupV1IsSetWhereItIsNeeded(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	if value, found := s.kubeletConfig()["failCgroupV1"]; !found || value != false {
		t.Error("the kubelet would refuse cgroup v1")
	}
	s.UnifiedCgroups = true
	if _, found := s.kubeletConfig()["failCgroupV1"]; found {
		t.Error("a setting that goes away is set where it is not needed")
	}
}

func TestNetworkConfigurationIsJSON(t *testing.T) {
	t.Parallel()
	var parsed map[string]any
	if err := json.Unmarshal([]byte(testSettings(t).cniConfig()), &parsed); err != nil {
		t.Error(err)
	}
}

func TestTemplatesAreFilledIn(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	for name, content := range map[string]string{"containerd.toml": s.containerdConfig(), "Corefile": s.corefile()} {
		for _, placeholder := range []string{"ROOT", "SOCKET", "SNAPSHOTTER", "PAUSE", "PLUGINS", "NETWORKS", "ARCHITECTURE", "NODE", "READY", "KUBECONFIG"} {
			if strings.Contains(content, placeholder) {
				t.Errorf("%s still has %s:\n%s", name, placeholder, content)
			}
		}
	}
}

func TestUnchangedFilesAreNotWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	old := time.Unix(1, 0)
	for _, test := range []struct {
		content string
		kept    bool
	}{{"a", false}, {"a", true}, {"b", false}} {
		if err := writeFiles(map[string][]byte{path: []byte(test.content)}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if kept := info.ModTime().Equal(old); kept != test.kept {
			t.Errorf("writing %q: kept %t, want %t", test.content, kept, test.kept)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
}
