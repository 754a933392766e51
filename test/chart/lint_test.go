package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

func TestLint(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"schemagate", "schemagate-gate"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			version, err := common.ParseKubeVersion(current)
			if err != nil {
				t.Fatal(err)
			}
			linter := lint.RunAll(helm.Dir(name), map[string]any{}, "schemagate-system", lint.WithKubeVersion(version))
			for _, message := range linter.Messages {
				if message.Severity >= support.WarningSev {
					t.Error(message)
				}
			}
		})
	}
}

// TestLintRefusesUnknownValues: "helm lint" goes by the schema, too.
func TestLintRefusesUnknownValues(t *testing.T) {
	t.Parallel()
	linter := lint.RunAll(helm.Dir("schemagate"), helm.Values(t, "replicaCount: 3"), "schemagate-system")
	if !slices.ContainsFunc(linter.Messages, func(m support.Message) bool {
		return m.Severity == support.ErrorSev && strings.Contains(m.Error(), "replicaCount")
	}) {
		t.Errorf("it says %v", linter.Messages)
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kubernetes, values string
		want               []string // parts of the message
	}{
		"unknown key":              {values: "replicaCount: 3", want: []string{"replicaCount"}},
		"unknown key below":        {values: "image: {name: x}", want: []string{"/image", "name"}},
		"unknown key far below":    {values: "metrics: {serviceMonitor: {enable: true}}", want: []string{"/metrics/serviceMonitor", "enable"}},
		"wrong type":               {values: "replicas: two", want: []string{"/replicas", "integer"}},
		"word for a switch":        {values: "crds: {enabled: 'false'}", want: []string{"/crds/enabled", "boolean"}},
		"digest without algorithm": {values: "image: {digest: 1a2b}", want: []string{"/image/digest"}},
		"namespace twice":          {values: "watchNamespaces: [a, a]", want: []string{"/watchNamespaces"}},
		"no namespace":             {values: "watchNamespaces: [A_B]", want: []string{"/watchNamespaces/0"}},
		"no duration":              {values: "leaderElection: {leaseDuration: 4}", want: []string{"/leaderElection/leaseDuration"}},
		"flag without dashes":      {values: "extraArgs: [log-level=debug]", want: []string{"/extraArgs/0"}},
		"unknown level":            {values: "log: {level: trace}", want: []string{"/log/level", "debug"}},
		"the operator at its own gate": {
			values: "podLabels: {schemagate.dev/schema: x}", want: []string{"/podLabels/schemagate.dev~1schema"},
		},
		"label of the selector": {values: "commonLabels: {app.kubernetes.io/name: x}", want: []string{"/commonLabels/app.kubernetes.io~1name"}},
		"budget of none":        {values: "podDisruptionBudget: {maxUnavailable: 0}", want: []string{"/podDisruptionBudget/maxUnavailable"}},
		"policies that Kubernetes does not have": {
			kubernetes: old, want: []string{"admissionPolicies.mutating is true", "v1.35.0", "admissionPolicies.mutating=false", "templates of your pods"},
		},
		"older than the chart can": {kubernetes: "v1.29.0", values: "admissionPolicies: {mutating: false}", want: []string{">=1.30.0-0"}},
		"nothing to scrape": {
			values: "metrics: {enabled: false, serviceMonitor: {enabled: true}}", want: []string{"metrics.serviceMonitor.enabled is true", "set metrics.enabled=true"},
		},
		"readers without roles": {
			values: "rbac: {create: false}\nmetrics: {readers: [{kind: Group, name: g}]}", want: []string{"metrics.readers", "rbac.create is false"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kubernetes := current
			if tc.kubernetes != "" {
				kubernetes = tc.kubernetes
			}
			_, err := helm.Render(helm.Load(t, helm.Dir("schemagate")), kubernetes, helm.Values(t, tc.values))
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the message lacks %q: %v", part, err)
				}
			}
		})
	}
}

// schemaNode is what the tests need to know of values.schema.json.
type schemaNode struct {
	Type                 string                `json:"type"`
	Properties           map[string]schemaNode `json:"properties"`
	AdditionalProperties any                   `json:"additionalProperties"`
}

// TestSchemaKnowsTheValues: every value has an entry in the schema and the other
// way round, and every level of them refuses others.
func TestSchemaKnowsTheValues(t *testing.T) {
	t.Parallel()
	var root schemaNode
	if err := json.Unmarshal([]byte(chartFile(t, "values.schema.json")), &root); err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(chartFile(t, "values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	// Helm and charts that have this one as a dependency set these.
	delete(root.Properties, "global")
	delete(root.Properties, "enabled")
	compareSchema(t, "", root, values)
}

func compareSchema(t *testing.T, path string, node schemaNode, values map[string]any) {
	t.Helper()
	if closed, ok := node.AdditionalProperties.(bool); !ok || closed {
		t.Errorf("%s/ takes unknown keys", path)
	}
	for key, value := range values {
		below, ok := node.Properties[key]
		if !ok {
			t.Errorf("%s/%s is not in the schema", path, key)
			continue
		}
		if object, ok := value.(map[string]any); ok && below.Properties != nil && path+"/"+key != "/resources" {
			compareSchema(t, path+"/"+key, below, object)
		}
	}
	for key := range node.Properties {
		if _, ok := values[key]; !ok {
			t.Errorf("%s/%s is in the schema only", path, key)
		}
	}
}

// TestAsDependency: what Helm adds to the values of a dependency is no unknown key.
func TestAsDependency(t *testing.T) {
	t.Parallel()
	render(t, current, "enabled: true\nglobal: {anything: 1}")
}

// TestReadmeExplainsEveryValue: a comment that helm-docs does not understand leaves
// its value without a description.
func TestReadmeExplainsEveryValue(t *testing.T) {
	t.Parallel()
	described := map[string]bool{}
	for line := range strings.Lines(chartFile(t, "README.md")) {
		if cells := strings.Split(line, " | "); len(cells) == 4 && strings.Trim(cells[3], " |\n") != "" {
			described[strings.TrimPrefix(cells[0], "| ")] = true
		}
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(chartFile(t, "values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	for path := range leaves("", values) {
		parent, _, _ := strings.Cut(path, ".")
		if !described[path] && !described[parent] {
			t.Errorf("README.md does not say what %s is", path)
		}
	}
}

func chartFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(helm.Dir("schemagate"), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
