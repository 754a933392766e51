package release_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
	"k8s.io/client-go/discovery"

	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

// typeSchema is a part of the API server's OpenAPI document.
type typeSchema = map[string]any

// loose are types that take more than their definitions say.
var loose = map[string]typeSchema{
	"io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": []string{"integer", "string"}},
	"io.k8s.apimachinery.pkg.api.resource.Quantity":   {"type": []string{"number", "string"}},
}

// kubeconform makes a validator with schemas of the API server: those that it has by
// default would come from the network.
func kubeconform(t *testing.T) validator.Validator {
	t.Helper()
	directory := t.TempDir()
	definitions := openAPI(t)
	for name, d := range definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, each := range kinds {
			kind, _ := each.(map[string]any)
			group := fmt.Sprint(kind["group"])
			if group == "" {
				group = fmt.Sprint(kind["version"]) // so kubeconform has it
			}
			needed := map[string]typeSchema{}
			collect(definitions, name, needed)
			content, err := json.Marshal(typeSchema{
				"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/" + name, "definitions": needed,
			})
			must(t, err)
			file := fmt.Sprintf("%s_%s_%s.json", group, kind["version"], strings.ToLower(fmt.Sprint(kind["kind"])))
			must(t, os.WriteFile(filepath.Join(directory, file), content, 0o600))
		}
	}
	v, err := validator.New([]string{directory + "/{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"}, validator.Opts{
		Strict: true,
		// The Prometheus operator's, which this API server does not know.
		SkipKinds: map[string]struct{}{"ServiceMonitor": {}, "PrometheusRule": {}},
	})
	must(t, err)
	return v
}

// openAPI returns the definitions of the API server, closed to fields that
// they do not name.
func openAPI(t *testing.T) map[string]typeSchema {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(restConfig)
	must(t, err)
	text, err := client.RESTClient().Get().AbsPath("/openapi/v2").SetHeader("Accept", "application/json").Do(t.Context()).Raw()
	must(t, err)
	var document struct{ Definitions map[string]typeSchema }
	must(t, json.Unmarshal(text, &document))
	if len(document.Definitions) < 500 {
		t.Fatalf("the API server has %d definitions", len(document.Definitions))
	}
	maps.Copy(document.Definitions, loose)
	for _, d := range document.Definitions {
		closed(d)
	}
	return document.Definitions
}

// closed forbids fields that a typeSchema does not name, at any depth.
func closed(d typeSchema) {
	properties, ok := d["properties"].(map[string]any)
	if _, open := d["additionalProperties"]; ok && !open && d["x-kubernetes-preserve-unknown-fields"] != true {
		d["additionalProperties"] = false
	}
	for _, property := range properties {
		if nested, ok := property.(map[string]any); ok {
			closed(nested)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if nested, ok := d[key].(map[string]any); ok {
			closed(nested)
		}
	}
}

// collect adds a typeSchema, and those that it refers to.
func collect(all map[string]typeSchema, name string, into map[string]typeSchema) {
	if into[name] != nil {
		return
	}
	into[name] = all[name]
	var look func(value any)
	look = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			if reference, ok := value["$ref"].(string); ok {
				collect(all, strings.TrimPrefix(reference, "#/definitions/"), into)
			}
			for _, nested := range value {
				look(nested)
			}
		case []any:
			for _, nested := range value {
				look(nested)
			}
		}
	}
	look(all[name])
}

// conform has kubeconform judge manifests, and returns how many it has found right.
func conform(t *testing.T, v validator.Validator, manifests string) (valid int, problems []string) {
	t.Helper()
	for _, r := range v.ValidateWithContext(t.Context(), "manifests", io.NopCloser(strings.NewReader(manifests))) {
		switch r.Status {
		case validator.Valid:
			valid++
		case validator.Empty, validator.Skipped:
		default:
			signature, err := r.Resource.Signature()
			if err != nil {
				signature = nil
			}
			problems = append(problems, fmt.Sprintf("%+v: %v", signature, errors.Join(r.Err)))
		}
	}
	return valid, problems
}

// TestKubeconform has kubeconform judge what the chart renders with every switch
// turned.
func TestKubeconform(t *testing.T) { //nolint:paralleltest // it has what the other tests install
	v := kubeconform(t)
	for _, name := range slices.Sorted(maps.Keys(switches)) {
		c, merged := current(t, switches[name])
		rendered, err := helm.Render(c, "v1.37.2", merged)
		must(t, err)
		if valid, problems := conform(t, v, rendered.Manifest); valid < 5 || len(problems) > 0 {
			t.Errorf("%s: %d manifests conform, others do not:\n%s", name, valid, strings.Join(problems, "\n"))
		}
	}
}

// TestKubeconformRefuses: the schemas are none that take anything.
func TestKubeconformRefuses(t *testing.T) { //nolint:paralleltest // it has what the other tests install
	v := kubeconform(t)
	const right = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {a: b}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers: [{name: c, image: d, resources: {limits: {cpu: 1, memory: 1Gi}}}]
`
	if valid, problems := conform(t, v, right); valid != 1 || len(problems) > 0 {
		t.Fatalf("%d conform: %v", valid, problems)
	}
	for name, change := range map[string][2]string{
		"unknown field":      {"image: d", "imag: d"},
		"unknown at the top": {"spec:\n  selector", "specification: {}\nspec:\n  selector"},
		"wrong type":         {"matchLabels: {a: b}", "matchLabels: [a]"},
		"missing field":      {"  selector: {matchLabels: {a: b}}\n", ""},
		"unknown kind":       {"kind: Deployment", "kind: Deploiment"},
	} {
		wrong := strings.Replace(right, change[0], change[1], 1)
		if valid, problems := conform(t, v, wrong); wrong == right || valid != 0 || len(problems) != 1 {
			t.Errorf("%s: %d conform: %v", name, valid, problems)
		}
	}
}
