// Command generate writes the admission policies to a directory, one file
// each, beside a list of them for kustomize.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/internal/admission"
)

const header = "# Generated from internal/admission by go generate. Do not edit.\n"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generating admission policies:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the directory to write to, got %d", len(args))
	}
	for _, policy := range admission.Policies() {
		content, err := render(policy.Objects())
		if err != nil {
			return err
		}
		// Manifests are public, like the sources beside them.
		if err := os.WriteFile(filepath.Join(args[0], policy.FileName()), content, 0o644); err != nil { //nolint:gosec // see above
			return err
		}
	}
	return nil
}

func render(objects []runtime.Object) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(header)
	for i, object := range objects {
		if i > 0 {
			out.WriteString("---\n")
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, err
		}
		// The server owns the status and the time of creation.
		delete(content, "status")
		unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
		document, err := yaml.Marshal(content)
		if err != nil {
			return nil, err
		}
		out.Write(document)
	}
	return out.Bytes(), nil
}
