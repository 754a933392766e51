package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const widgetDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: {type: integer, minimum: 1}
                limit: {type: integer, default: 10}
                tags:
                  type: array
                  maxItems: 5
                  items: {type: string, maxLength: 10}
                  x-kubernetes-list-type: set
              x-kubernetes-validations:
                - {rule: "self.size <= self.limit", message: size is above the limit}
`

const widget = `
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, namespace: ns}
spec: {size: 3}
`

func TestRun(t *testing.T) {
	t.Parallel()
	edited := func(document, old, replacement string) string {
		if !strings.Contains(document, old) {
			t.Fatalf("%q is not in the document", old)
		}
		return strings.Replace(document, old, replacement, 1)
	}
	configMap := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {key: value}\n"

	tests := map[string]struct {
		input string
		want  string // part of the error; empty for none
	}{
		"built-in kind":                    {input: configMap},
		"empty documents between":          {input: "---\n" + configMap + "---\n# only a comment\n---\n"},
		"definition and resource":          {input: widget + "---" + widgetDefinition},
		"nothing":                          {input: "", want: "no manifests"},
		"no name":                          {input: "apiVersion: v1\nkind: ConfigMap\n", want: "lacks apiVersion, kind or metadata.name"},
		"no YAML":                          {input: "{", want: "yaml"},
		"key twice":                        {input: configMap + "data: {}\n", want: `"data" already set`},
		"unknown field of a built-in kind": {input: configMap + "dota: {}\n", want: `ConfigMap c: strict decoding error: unknown field "dota"`},
		"wrong type in a built-in kind":    {input: edited(configMap, "value", "[1]"), want: "ConfigMap c: "},
		"unknown kind":                     {input: widget, want: "nothing defines example.com/v1, Kind=Widget"},
		"object twice":                     {input: configMap + "---\n" + configMap, want: "ConfigMap c: there are two of it"},
		"same name in two namespaces":      {input: configMap + "---\n" + edited(configMap, "name: c", "name: c, namespace: ns")},
		"definition with a wrong rule":     {input: edited(widgetDefinition, "self.limit", "self.limits"), want: "undefined field 'limits'"},
		"definition with a wrong name":     {input: edited(widgetDefinition, "widgets.example.com", "widget.example.com"), want: "metadata.name"},
		"unknown field of a definition":    {input: edited(widgetDefinition, "scope:", "scoop: x\n  scope:"), want: `unknown field "spec.scoop"`},
		"unknown field of a resource":      {input: widgetDefinition + "---" + edited(widget, "size: 3", "size: 3, sise: 4"), want: "Widget ns/w: spec.sise"},
		"required field missing":           {input: widgetDefinition + "---" + edited(widget, "size: 3", "limit: 3"), want: "spec.size"},
		"value out of bounds":              {input: widgetDefinition + "---" + edited(widget, "size: 3", "size: 0"), want: "spec.size"},
		"value twice in a set":             {input: widgetDefinition + "---" + edited(widget, "size: 3", "size: 3, tags: [a, a]"), want: "spec.tags[1]: Duplicate value"},
		"rule broken with the default":     {input: widgetDefinition + "---" + edited(widget, "size: 3", "size: 11"), want: "size is above the limit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var output strings.Builder
			err := run(t.Context(), nil, strings.NewReader(test.input), &output)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if valid := strings.HasSuffix(output.String(), "manifests are valid\n"); valid != (test.want == "") {
				t.Errorf("output %q", output.String())
			}
		})
	}
}

func TestRunReportsAllFaults(t *testing.T) {
	t.Parallel()
	input := "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspecs: {}\n" +
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\ndate: {}\n"
	err := run(t.Context(), nil, strings.NewReader(input), &strings.Builder{})
	for _, want := range []string{"Service a", "Secret b"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestRunWithDefinitionsOfADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"widgets.yaml":       widgetDefinition,
		"kustomization.yaml": "resources: [widgets.yaml]\n",
		"README.md":          "no manifest",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(t.Context(), []string{"-crd", dir}, strings.NewReader(widget), &strings.Builder{}); err != nil {
		t.Errorf("with the directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "widget.yaml"), []byte(widget), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"-crd", dir}, strings.NewReader(widget), &strings.Builder{})
	if want := "not a custom resource definition"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("with another object in the directory: %v, want %q", err, want)
	}
}
