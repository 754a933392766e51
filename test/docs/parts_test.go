package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common/util"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

// strictly reads YAML into what has no fields but known ones.
func strictly[T any](_ *testing.T, text []byte) error {
	var into T
	return yaml.UnmarshalStrict(text, &into)
}

// parts are the manifests that pages have parts of, by a key at the top of the part,
// each with what checks it.
var parts = map[string]func(t *testing.T, text []byte) error{
	"metadata":   strictly[corev1.PodTemplateSpec],
	"serves":     strictly[v1alpha1.DatabaseSchemaStatus],
	"database":   specification,
	"migrations": specification,
	// Values of our charts.
	"watchNamespaces":   chartValues,
	"admissionPolicies": chartValues,
	"metrics":           chartValues,
	"schemagate": strictly[struct {
		Schemagate struct{ PodTemplateGate bool }
	}], // the chart has no schema; test/chart renders this
}

// specification has the API server check a part of the spec of a DatabaseSchema,
// beside what every one has.
func specification(t *testing.T, text []byte) error {
	t.Helper()
	spec := map[string]any{
		"database":   map[string]any{"urlFrom": map[string]any{"secretKeyRef": map[string]any{"name": "db", "key": "url"}}},
		"migrations": map[string]any{"bundle": "open-webui"},
	}
	var part map[string]any
	if err := yaml.Unmarshal(text, &part); err != nil {
		return err
	}
	maps.Copy(spec, part)
	// As the API server reads it: numbers in YAML are none of its own.
	content, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "DatabaseSchema", "metadata": map[string]any{"name": "part"}, "spec": spec,
	})
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(content); err != nil {
		return err
	}
	return create(t, object, server.NewNamespace(t))
}

// chartValues checks values of the chart by its schema, as Helm does.
func chartValues(t *testing.T, text []byte) error {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "charts", "schemagate", "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := yaml.Unmarshal(text, &content); err != nil {
		return err
	}
	return util.ValidateAgainstSingleSchema(content, schema)
}

// TestParts checks what is no whole manifest.
func TestParts(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range pages.All(t) {
		for _, b := range p.Blocks {
			if b.Language != "yaml" {
				continue
			}
			for _, object := range documents(t, b) {
				if object.GetKind() != "" {
					continue
				}
				known := false
				for key := range object.Object {
					check := parts[key]
					if check == nil {
						continue
					}
					known, used[key] = true, true
					if err := check(t, []byte(b.Text)); err != nil {
						t.Errorf("%s:%d: %v", b.Page, b.Line, err)
					}
				}
				if !known {
					t.Errorf("%s:%d: nobody knows what this is a part of", b.Page, b.Line)
				}
			}

		}
	}
	for key := range parts {
		if !used[key] {
			t.Errorf("no page has a part with %s any more: take it from the list", key)
		}
	}
}
