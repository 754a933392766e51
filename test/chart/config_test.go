package chart_test

import (
	"os/exec"
	"path/filepath"
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
		containers, _, err := unstructured.NestedSlice(spec, "spec", "template", "spec", "containers")
		if err != nil || len(containers) != 1 {
			t.Fatalf("%d containers, %v", len(containers), err)
		}
		container := containers[0].(map[string]any)
		delete(container, "image")
		// The chart names what is the operator's default.
		var args []any
		for _, arg := range container["args"].([]any) {
			switch arg {
			case "--metrics-bind-address=:8443", "--log-format=json", "--log-level=info":
			default:
				args = append(args, arg)
			}
		}
		container["args"] = args
		if err := unstructured.SetNestedSlice(spec, containers, "spec", "template", "spec", "containers"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(left, right); diff != "" {
		t.Errorf("Deployment (-config +chart):\n%s", diff)
	}
}

// TestAlertsAsTheyAre: the alerts are handed on unrendered, with templates of
// their own.
func TestAlertsAsTheyAre(t *testing.T) {
	t.Parallel()
	if !hasAlerts(t) {
		return // TestEverySwitch has the chart say so
	}
	manifest, _ := render(t, current, "metrics: {prometheusRule: {enabled: true}}")
	rule := find(t, objects(t, manifest), "PrometheusRule", "schemagate")
	var want map[string]any
	if err := yaml.Unmarshal([]byte(chartFile(t, "files/rules.yaml")), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rule.Object["spec"]); diff != "" {
		t.Errorf("(-config +chart):\n%s", diff)
	}
}

// TestAnnotations: what the chart says of itself is true of this version.
func TestAnnotations(t *testing.T) {
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
	manifest, _ := render(t, current)
	var images []struct{ Name, Image string }
	parseAnnotation(t, metadata.Annotations, "images", &images)
	if len(images) != 1 || !strings.Contains(manifest, `image: "`+images[0].Image+`"`) {
		t.Errorf("the images are %v, and are not those of the manifests", images)
	}
	var crds []struct{ Kind, Version, Name, DisplayName, Description string }
	parseAnnotation(t, metadata.Annotations, "crds", &crds)
	for _, crd := range crds {
		definition := find(t, objects(t, manifest), "CustomResourceDefinition", crd.Name)
		kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "kind")
		versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
		if kind != crd.Kind || len(versions) != 1 || versions[0].(map[string]any)["name"] != crd.Version || crd.DisplayName == "" || crd.Description == "" {
			t.Errorf("%+v is not %s", crd, kind)
		}
	}
	var examples []map[string]any
	parseAnnotation(t, metadata.Annotations, "crdsExamples", &examples)
	if len(crds) != 1 || len(examples) == 0 {
		t.Fatalf("%d definitions and %d examples", len(crds), len(examples))
	}
	for _, example := range examples {
		document, err := yaml.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		check(t, string(document))
	}
	var links []struct{ Name, URL string }
	parseAnnotation(t, metadata.Annotations, "links", &links)
	var changes []struct{ Kind, Description string }
	parseAnnotation(t, metadata.Annotations, "changes", &changes)
	if len(links) == 0 || len(changes) == 0 || metadata.Annotations["artifacthub.io/license"] != "Apache-2.0" {
		t.Errorf("links, changes or the license are missing")
	}
}

func parseAnnotation(t *testing.T, annotations map[string]string, name string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(annotations["artifacthub.io/"+name]), into); err != nil {
		if name != "images" || !strings.Contains(err.Error(), "platforms") {
			t.Errorf("artifacthub.io/%s: %v", name, err)
		}
	}
}
