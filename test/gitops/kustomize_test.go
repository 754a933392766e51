package gitops_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// block is an example of a kustomization that says in its first line where it lies.
var block = regexp.MustCompile("(?s)```yaml\n# (\\S+/kustomization\\.yaml)\n(.*?)```")

// remote is what the examples call the repository.
const remote = "https://github.com/schemagate/schemagate//"

// guide writes the kustomizations of the guide to a directory, with this repository
// in the place of the remote one.
func guide(t *testing.T) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "docs", "guides", "kustomize.md"))
	if err != nil {
		t.Fatal(err)
	}
	repository, err := filepath.EvalSymlinks(apiserver.RepositoryRoot())
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range block.FindAllStringSubmatch(string(content), -1) {
		file := filepath.Join(root, found[1])
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil { //nolint:gosec // a temporary directory
			t.Fatal(err)
		}
		here, err := filepath.Rel(filepath.Dir(file), repository)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(found[2], remote, here+"/")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil { //nolint:gosec // a temporary directory
			t.Fatal(err)
		}
	}
	return root
}

// TestKustomizeGuide: the examples can be built, and the API server accepts them.
func TestKustomizeGuide(t *testing.T) {
	t.Parallel()
	root := guide(t)
	for _, name := range []string{"schemagate-system", "chat", "open-webui"} {
		ensureNamespace(t, name)
	}
	built := map[string][]*unstructured.Unstructured{}
	for _, name := range []string{"default", "namespaced", "app"} {
		built[name] = build(t, filepath.Join(root, name))
		for _, object := range built[name] {
			accepted(t, object)
		}
	}
	if role := find(built["namespaced"], "Role", "schemagate-manager"); role == nil || role.GetNamespace() != "chat" {
		t.Errorf("namespaced has the role %v", role)
	}
	if find(built["namespaced"], "ClusterRole", "schemagate-manager") != nil {
		t.Error("namespaced lets the operator act everywhere")
	}
	args, _, err := unstructured.NestedStringSlice(containers(t, find(built["namespaced"], "Deployment", "schemagate"))[0], "args")
	if err != nil || !slices.Contains(args, "--namespaces=chat") {
		t.Errorf("the operator starts with %v (%v)", args, err)
	}
	if image := containers(t, find(built["default"], "Deployment", "schemagate"))[0]["image"]; image != "ghcr.io/schemagate/schemagate:v0.1.0" {
		t.Errorf("the image is %v", image)
	}
	gates, _, err := unstructured.NestedSlice(find(built["app"], "Deployment", "open-webui").Object, "spec", "template", "spec", "schedulingGates")
	if err != nil || len(gates) != 1 {
		t.Errorf("the template of the pods has the gates %v (%v)", gates, err)
	}
}

func find(objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
	if i < 0 {
		return nil
	}
	return objects[i]
}

func containers(t *testing.T, deployment *unstructured.Unstructured) []map[string]any {
	t.Helper()
	if deployment == nil {
		t.Fatal("there is no Deployment")
	}
	list, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for _, one := range list {
		container, ok := one.(map[string]any)
		if !ok {
			t.Fatalf("a container is %v", one)
		}
		out = append(out, container)
	}
	return out
}
