package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun: what the chart takes over is all there, each file is one document, and
// what is no longer in config/ is not in the chart either.
func TestRun(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	stale := filepath.Join(directory, "admission", "stale.yaml")
	if err := os.MkdirAll(filepath.Dir(stale), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"../../config", directory}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("a file that config/ no longer has was left")
	}
	for _, name := range []string{
		"crd.yaml", "rules.yaml", "rbac/manager.yaml", "rbac/cluster-facts.yaml", "rbac/leader-election.yaml", "rbac/metrics-auth.yaml",
		"rbac/metrics-reader.yaml", "rbac/view.yaml", "rbac/edit.yaml", "rbac/gatekeeper.yaml", "rbac/doctor.yaml",
		"admission/schemagate-gate-add.yaml", "admission/schemagate-gate-add-binding.yaml",
		"admission/schemagate-gate-closed-served.yaml", "admission/schemagate-gate-keep-binding.yaml",
	} {
		content, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if text := string(content); !strings.HasPrefix(text, "# Generated from config/") || strings.Contains(text, "\n---") {
			t.Errorf("%s begins with %.60q, or holds several documents", name, text)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	config := t.TempDir()
	for name, content := range map[string]string{
		"crd/schemagate.dev_databaseschemas.yaml": "kind: CustomResourceDefinition\n",
		"admission/add.yaml":                      "kind: MutatingAdmissionPolicy\nmetadata: {name: a}\n---\nkind: ConfigMap\nmetadata: {name: b}\n",
	} {
		path := filepath.Join(config, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no arguments":  {want: "two arguments"},
		"nothing there": {args: []string{t.TempDir(), t.TempDir()}, want: "databaseschemas.yaml"},
		"another kind":  {args: []string{config, t.TempDir()}, want: "neither a policy nor a binding, but a ConfigMap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := run(tc.args); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error is %v, want %q", err, tc.want)
			}
		})
	}
}
