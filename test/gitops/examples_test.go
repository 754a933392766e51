package gitops_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// manifests decodes the objects of a YAML stream.
func manifests(t *testing.T, content []byte) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			out = append(out, object)
		}
	}
}

// accepted sends an object to the API server, which refuses fields it does not know.
func accepted(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	err := server.Client.Create(t.Context(), object.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

func ensureNamespace(t *testing.T, name string) {
	t.Helper()
	err := server.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// TestExamples: the API server, with the definitions of Argo CD and Flux, accepts
// every manifest for them; that of Flux's HelmRelease is not to be had as a module, so
// its Go type stands in.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, namespace := range []string{"argocd", "flux-system", "open-webui"} {
		ensureNamespace(t, namespace)
	}
	var files []string
	for _, directory := range []string{"argocd", "flux"} {
		err := filepath.WalkDir(filepath.Join(integrations, directory), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".yaml" && !strings.Contains(path, "resource_customizations") && entry.Name() != "kustomization.yaml" {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	kinds := map[string]int{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range manifests(t, content) {
			kinds[object.GetKind()]++
			if object.GetKind() == "HelmRelease" {
				strict(t, object, &helmv2.HelmRelease{})
				continue
			}
			if object.GetNamespace() == "" {
				object.SetNamespace("open-webui") // by its kustomization
			}
			accepted(t, object)
		}
	}
	for _, kind := range []string{"Application", "AppProject", "Kustomization", "GitRepository", "HelmRepository", "HelmRelease", "DatabaseSchema", "Deployment"} {
		if kinds[kind] == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
}

// strict decodes an object into its Go type, and refuses fields that it lacks.
func strict(t *testing.T, object *unstructured.Unstructured, into any) {
	t.Helper()
	content, err := yaml.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// build renders a kustomization.
func build(t *testing.T, directory string) []*unstructured.Unstructured {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(apiserver.RepositoryRoot(), "hack", "tool"), "kustomize", "build", directory)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("kustomize build %s: %v\n%s", directory, err, stderr.String())
	}
	return manifests(t, out)
}

// TestWaves: the schema comes before the Deployment where it names the release itself,
// and nowhere else. No hook is among them.
func TestWaves(t *testing.T) {
	t.Parallel()
	ensureNamespace(t, "open-webui")
	for directory, want := range map[string]struct{ target, schema, deployment string }{
		"app":   {},
		"waves": {target: "AppVersion", schema: "-1", deployment: "0"},
	} {
		waves, target := map[string]string{}, ""
		for _, object := range build(t, filepath.Join(integrations, "argocd", "examples", directory)) {
			waves[object.GetKind()] = object.GetAnnotations()["argocd.argoproj.io/sync-wave"]
			if object.GetKind() == "DatabaseSchema" {
				target, _, _ = unstructured.NestedString(object.Object, "spec", "target", "type")
			}
			for _, hook := range []string{"argocd.argoproj.io/hook", "helm.sh/hook"} {
				if _, ok := object.GetAnnotations()[hook]; ok {
					t.Errorf("%s: %s is a hook", directory, object.GetKind())
				}
			}
			accepted(t, object)
		}
		if len(waves) != 2 || waves["DatabaseSchema"] != want.schema || waves["Deployment"] != want.deployment || target != want.target {
			t.Errorf("%s: the waves are %v, the target %q", directory, waves, target)
		}
	}
}

// TestProjectAllows: the project lets the application have what it consists of, and
// its role every action that there is.
func TestProjectAllows(t *testing.T) {
	t.Parallel()
	project := readObject(t, integrations, "argocd", "examples", "project.yaml")
	allowed, _, err := unstructured.NestedSlice(project.Object, "spec", "namespaceResourceWhitelist")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range build(t, filepath.Join(integrations, "argocd", "examples", "app")) {
		gvk := object.GroupVersionKind()
		if !slices.ContainsFunc(allowed, func(one any) bool {
			entry, _ := one.(map[string]any)
			return entry["group"] == gvk.Group && entry["kind"] == gvk.Kind
		}) {
			t.Errorf("the project does not allow %s", gvk.GroupKind())
		}
	}
	application := readObject(t, integrations, "argocd", "examples", "application.yaml")
	if name, _, _ := unstructured.NestedString(application.Object, "spec", "project"); name != project.GetName() {
		t.Errorf("the application is of the project %q", name)
	}
	path, _, _ := unstructured.NestedString(application.Object, "spec", "source", "path")
	if _, err := os.Stat(filepath.Join(apiserver.RepositoryRoot(), path, "kustomization.yaml")); err != nil {
		t.Error(err)
	}
}

// TestFluxPaths: what the Kustomizations of Flux name is there, accepted, and in the
// namespace of the health checks.
func TestFluxPaths(t *testing.T) {
	t.Parallel()
	ensureNamespace(t, "open-webui")
	made := map[string]bool{}
	for _, file := range []string{"schema.yaml", "app.yaml"} {
		kustomization := readObject(t, integrations, "flux", file)
		path, _, _ := unstructured.NestedString(kustomization.Object, "spec", "path")
		for _, object := range build(t, filepath.Join(apiserver.RepositoryRoot(), path)) {
			made[object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName()] = true
			accepted(t, object)
		}
		checks, _, err := unstructured.NestedSlice(kustomization.Object, "spec", "healthChecks")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range checks {
			check, _ := one.(map[string]any)
			kind, _ := check["kind"].(string)
			namespace, _ := check["namespace"].(string)
			name, _ := check["name"].(string)
			if !made[kind+" "+namespace+"/"+name] {
				t.Errorf("%s checks %v, which is not there", file, check)
			}
		}
	}
}

// TestFluxValues: the HelmRelease gives the chart the values that are tried with it, and
// the application the database that the schema is of.
func TestFluxValues(t *testing.T) {
	t.Parallel()
	release, err := os.ReadFile(filepath.Join(integrations, "flux", "helmrelease.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(integrations, "open-webui-helm", "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := utilyaml.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	for _, object := range manifests(t, release) {
		if object.GetKind() == "HelmRelease" {
			got, _, _ = unstructured.NestedMap(object.Object, "spec", "values")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the values (-open-webui-helm/values.yaml +flux/helmrelease.yaml):\n%s", diff)
	}
	var values struct {
		PodLabels      map[string]string         `json:"podLabels"`
		ExtraEnvVars   []corev1.EnvVar           `json:"extraEnvVars"`
		ExtraResources []v1alpha1.DatabaseSchema `json:"extraResources"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(got, &values); err != nil {
		t.Fatal(err)
	}
	if len(values.ExtraResources) != 1 {
		t.Fatalf("%d DatabaseSchemas, want one", len(values.ExtraResources))
	}
	schema := values.ExtraResources[0]
	if label := values.PodLabels[v1alpha1.LabelSchema]; label != schema.Name {
		t.Errorf("the pods name the schema %q, which is %q", label, schema.Name)
	}
	of := map[string]*corev1.EnvVarSource{}
	for _, variable := range values.ExtraEnvVars {
		of[variable.Name] = variable.ValueFrom
	}
	url := schema.Spec.Database.URLFrom.SecretKeyRef
	if source := of["DATABASE_URL"]; source == nil || source.SecretKeyRef == nil || source.SecretKeyRef.Name != string(url.Name) || source.SecretKeyRef.Key != url.Key {
		t.Errorf("the schema is of the database in %s/%s, and the application's is in %+v", url.Name, url.Key, source)
	}
}
