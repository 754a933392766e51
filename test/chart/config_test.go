package chart_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// TestSameAsConfig: with its defaults the chart installs what config/default does,
// apart from labels, names of the image, and what only the chart has.
func TestSameAsConfig(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ kustomization, kubernetes, values string }{
		"default":          {kustomization: "default", kubernetes: current},
		"without mutating": {kustomization: "without-mutating", kubernetes: old, values: "admissionPolicies: {mutating: false}"},
		"namespaced":       {kustomization: "namespaced", kubernetes: current, values: "watchNamespaces: [open-webui]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manifest, _ := render(t, tc.kubernetes, tc.values)
			ours := objects(t, manifest)
			build := exec.CommandContext(t.Context(), filepath.Join("hack", "tool"), "kustomize", "build", filepath.Join("config", tc.kustomization))
			build.Dir = apiserver.RepositoryRoot()
			output, err := build.Output()
			if err != nil {
				t.Fatal(err)
			}
			theirs := objects(t, string(output))
			for _, want := range theirs {
				switch want.GetKind() {
				case "Namespace": // Helm's --create-namespace
				case "Deployment":
					compareDeployments(t, want, find(t, ours, want.GetKind(), want.GetName()))
				default:
					got := find(t, ours, want.GetKind(), want.GetName())
					if diff := cmp.Diff(essence(want), essence(got)); diff != "" {
						t.Errorf("%s %s (-config +chart):\n%s", want.GetKind(), want.GetName(), diff)
					}
				}
			}
			more := map[string]bool{"PodDisruptionBudget": true, "Service": true}
			for _, got := range ours {
				if !more[got.GetKind()] {
					find(t, theirs, got.GetKind(), got.GetName())
				}
			}
		})
	}
}

// essence is an object without the metadata that only the chart has.
func essence(object *unstructured.Unstructured) map[string]any {
	content := object.DeepCopy()
	labels := content.GetLabels()
	for key := range labels {
		if strings.HasPrefix(key, "app.kubernetes.io/") || strings.HasPrefix(key, "helm.sh/") {
			delete(labels, key)
		}
	}
	annotations := content.GetAnnotations()
	delete(annotations, "helm.sh/resource-policy")
	content.SetLabels(labels)
	content.SetAnnotations(annotations)
	for key, left := range map[string]int{"labels": len(labels), "annotations": len(annotations)} {
		if left == 0 {
			unstructured.RemoveNestedField(content.Object, "metadata", key)
		}
	}
	return content.Object
}

func compareDeployments(t *testing.T, want, got *unstructured.Unstructured) {
	t.Helper()
	left, right := want.DeepCopy().Object, got.DeepCopy().Object
	for _, spec := range []map[string]any{left, right} {
		for _, path := range [][]string{
			{"metadata", "labels"},
			{"spec", "selector"},
			{"spec", "template", "metadata", "labels"},
			{"spec", "template", "spec", "affinity"},
		} {
			unstructured.RemoveNestedField(spec, path...)
		}
		container := onlyContainer(t, spec)
		delete(container, "image")
		args, _, err := unstructured.NestedStringSlice(container, "args")
		if err != nil {
			t.Fatal(err)
		}
		// The chart names what is the operator's default.
		args = slices.DeleteFunc(args, func(arg string) bool {
			return slices.Contains([]string{"--metrics-bind-address=:8443", "--log-format=json", "--log-level=info"}, arg)
		})
		if err := unstructured.SetNestedStringSlice(container, args, "args"); err != nil {
			t.Fatal(err)
		}
		if err := unstructured.SetNestedSlice(spec, []any{container}, "spec", "template", "spec", "containers"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(left, right); diff != "" {
		t.Errorf("Deployment (-config +chart):\n%s", diff)
	}
}

// TestSameMonitoring: the chart has Prometheus scrape, and tell of, the same as the
// component for kustomize does. The alerts have templates of their own, which Helm
// must not render.
func TestSameMonitoring(t *testing.T) {
	t.Parallel()
	manifest, _ := render(t, current, "metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}")
	ours := objects(t, manifest)
	for _, expected := range []struct{ file, kind, name string }{
		{"service.yaml", "Service", "schemagate-metrics"},
		{"servicemonitor.yaml", "ServiceMonitor", "schemagate"},
		{"prometheusrule.yaml", "PrometheusRule", "schemagate"},
	} {
		content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "config", "components", "prometheus", expected.file))
		if err != nil {
			t.Fatal(err)
		}
		want := find(t, objects(t, string(content)), expected.kind, expected.name)
		got := find(t, ours, expected.kind, expected.name)
		for _, object := range []*unstructured.Unstructured{want, got} {
			unstructured.RemoveNestedField(object.Object, "spec", "selector")
			object.SetLabels(nil)
		}
		if diff := cmp.Diff(essence(want), essence(got)); diff != "" {
			t.Errorf("%s (-config +chart):\n%s", expected.kind, diff)
		}
	}
}

func onlyContainer(t *testing.T, deployment map[string]any) map[string]any {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(deployment, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("%d containers, %v", len(containers), err)
	}
	container, ok := containers[0].(map[string]any)
	if !ok {
		t.Fatalf("the container is a %T", containers[0])
	}
	return container
}

// TestMetadata: what the chart says of itself is true of this version.
func TestMetadata(t *testing.T) {
	t.Parallel()
	var metadata struct {
		Version, AppVersion string
		Annotations         map[string]string
	}
	if err := yaml.Unmarshal([]byte(chartFile(t, "Chart.yaml")), &metadata); err != nil {
		t.Fatal(err)
	}
	if metadata.Version != metadata.AppVersion {
		t.Errorf("the version is %s and that of the application %s", metadata.Version, metadata.AppVersion)
	}
	if license := metadata.Annotations["artifacthub.io/license"]; license != "Apache-2.0" {
		t.Errorf("the license is %q", license)
	}
	manifest, _ := render(t, current)
	var images []struct {
		Name, Image string
		Platforms   []string
	}
	annotation(t, metadata.Annotations, "images", &images)
	for _, image := range images {
		if !strings.Contains(manifest, `image: "`+image.Image+`"`) {
			t.Errorf("%s is not the image of the manifests", image.Image)
		}
	}
	var definitions []struct{ Kind, Version, Name, DisplayName, Description string }
	annotation(t, metadata.Annotations, "crds", &definitions)
	for _, definition := range definitions {
		crd := find(t, objects(t, manifest), "CustomResourceDefinition", definition.Name)
		text := squeezed(manifest)
		if kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind"); kind != definition.Kind || !strings.Contains(text, " name: "+definition.Version+" ") {
			t.Errorf("%+v is not %s", definition, kind)
		}
	}
	var examples []map[string]any
	annotation(t, metadata.Annotations, "crdsExamples", &examples)
	for _, example := range examples {
		document, err := yaml.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		check(t, string(document))
	}
	var links []struct{ Name, URL string }
	annotation(t, metadata.Annotations, "links", &links)
	var changes []struct{ Kind, Description string }
	annotation(t, metadata.Annotations, "changes", &changes)
}

// annotation parses one of Artifact Hub's, which are lists in YAML.
func annotation[T any](t *testing.T, annotations map[string]string, name string, into *[]T) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(annotations["artifacthub.io/"+name]), into); err != nil {
		t.Errorf("artifacthub.io/%s: %v", name, err)
	}
	if len(*into) == 0 {
		t.Errorf("artifacthub.io/%s lists nothing", name)
	}
}
