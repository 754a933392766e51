package gitops_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	packed "github.com/schemagate/schemagate/integrations/argocd"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/argocd"
)

var integrations = filepath.Join(apiserver.RepositoryRoot(), "integrations")

var directory = filepath.Join(integrations, "argocd", "resource_customizations", "schemagate.dev", "DatabaseSchema")

// read decodes a YAML file, in which every field has to be known.
func read(t *testing.T, into any, path ...string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatalf("%s: %v", filepath.Join(path...), err)
	}
}

func readObject(t *testing.T, path ...string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	read(t, &object.Object, path...)
	return object
}

// TestHealthFile does what Argo CD's own test does with health_test.yaml.
func TestHealthFile(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			InputPath    string        `json:"inputPath"`
			HealthStatus argocd.Health `json:"healthStatus"`
		} `json:"tests"`
	}
	read(t, &file, directory, "health_test.yaml")
	used := map[string]bool{}
	for _, tc := range file.Tests {
		used[filepath.Join(directory, tc.InputPath)] = true
		got, err := argocd.Scripts(directory).Health(t.Context(), readObject(t, directory, tc.InputPath))
		if err != nil {
			t.Errorf("%s: %v", tc.InputPath, err)
		}
		if got != tc.HealthStatus {
			t.Errorf("%s: the health is\n%+v, want\n%+v", tc.InputPath, got, tc.HealthStatus)
		}
	}
	inputs, err := filepath.Glob(filepath.Join(directory, "testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range inputs {
		if !used[input] {
			t.Errorf("health_test.yaml does not use %s", input)
		}
	}
	if len(inputs) == 0 {
		t.Error("there is no test data")
	}
}

type actionTest struct {
	Action               string `json:"action"`
	InputPath            string `json:"inputPath"`
	ExpectedOutputPath   string `json:"expectedOutputPath"`
	ExpectedErrorMessage string `json:"expectedErrorMessage"`
}

// TestActionFile does what Argo CD's own test does with action_test.yaml. Of the
// actions it wants all that there are, and not only that those found are listed.
func TestActionFile(t *testing.T) {
	t.Parallel()
	var file struct {
		DiscoveryTests []struct {
			InputPath string          `json:"inputPath"`
			Result    []argocd.Action `json:"result"`
		} `json:"discoveryTests"`
		ActionTests []actionTest `json:"actionTests"`
	}
	actions := filepath.Join(directory, "actions")
	read(t, &file, actions, "action_test.yaml")
	untried := map[string]bool{}
	for _, tc := range file.DiscoveryTests {
		got, err := argocd.Scripts(directory).Actions(t.Context(), readObject(t, actions, tc.InputPath))
		if err != nil {
			t.Fatalf("%s: %v", tc.InputPath, err)
		}
		want := map[string]argocd.Action{}
		for _, action := range tc.Result {
			want[action.Name], untried[action.Name] = action, true
		}
		found := map[string]argocd.Action{}
		for _, action := range got {
			found[action.Name] = action
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%s: the actions (-want +got):\n%s", tc.InputPath, diff)
		}
	}
	for _, tc := range file.ActionTests {
		delete(untried, tc.Action)
		got, err := argocd.Scripts(directory).Act(t.Context(), tc.Action, readObject(t, actions, tc.InputPath))
		if tc.ExpectedErrorMessage != "" {
			if err == nil || err.Error() != tc.ExpectedErrorMessage {
				t.Errorf("%s of %s fails with %v, want %q", tc.Action, tc.InputPath, err, tc.ExpectedErrorMessage)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s of %s: %v", tc.Action, tc.InputPath, err)
			continue
		}
		want := readObject(t, actions, tc.ExpectedOutputPath)
		if diff := cmp.Diff(number(t, want.Object), number(t, got.Object)); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", tc.Action, tc.InputPath, diff)
		}
	}
	if len(untried) > 0 {
		t.Errorf("no test tries %v", untried)
	}
}

// number turns the numbers of an object into those that JSON has.
func number(t *testing.T, in map[string]any) (out map[string]any) {
	t.Helper()
	content, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestConfigMap: what people add to argocd-cm are the scripts that are tested.
func TestConfigMap(t *testing.T) {
	t.Parallel()
	want, err := packed.ConfigMap(filepath.Join(integrations, "argocd", "resource_customizations"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(integrations, "argocd", "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("argocd-cm.yaml is not what \"go generate ./integrations/argocd\" writes (-want +got):\n%s", diff)
	}
	// Unpacked by hand, as Argo CD does it.
	var object struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal(got, &object); err != nil {
		t.Fatal(err)
	}
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name   string `json:"name"`
			Action string `json:"action.lua"`
		} `json:"definitions"`
	}
	if err := yaml.UnmarshalStrict([]byte(object.Data["resource.customizations.actions.schemagate.dev_DatabaseSchema"]), &actions); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"health.lua":            object.Data["resource.customizations.health.schemagate.dev_DatabaseSchema"],
		"actions/discovery.lua": actions.Discovery,
	}
	for _, definition := range actions.Definitions {
		files["actions/"+definition.Name+"/action.lua"] = definition.Action
	}
	for name, got := range files {
		want, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("argocd-cm.yaml has another %s", name)
		}
	}
	if len(files) != 7 {
		t.Errorf("there are %d scripts, want 7", len(files))
	}
}
