package release_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

// switches are values of the chart, one turned after the other.
var switches = map[string]string{
	"defaults":        "",
	"no CRD":          "crds: {enabled: false}",
	"CRD not kept":    "crds: {keep: false}",
	"no mutating":     "admissionPolicies: {mutating: false}",
	"no policies":     "admissionPolicies: {enabled: false}",
	"one namespace":   "watchNamespaces: [dry-run]",
	"no roles":        "rbac: {create: false}",
	"no people":       "rbac: {aggregate: false, gatekeeper: false}",
	"default account": "serviceAccount: {create: false}",
	"no budget":       "podDisruptionBudget: {enabled: false}",
	"no metrics":      "metrics: {enabled: false}",
	"no Service":      "metrics: {service: {enabled: false}}",
	"readers":         "metrics: {readers: [{kind: ServiceAccount, name: prometheus, namespace: monitoring}]}",
	"network": `
networkPolicy:
  enabled: true
  metricsFrom: [{namespaceSelector: {}}]
  apiServerTo: [{ipBlock: {cidr: 10.0.0.1/32}}]
  extraEgress: [{ports: [{port: 4317}]}]
`,
	"how it runs": `
image: {digest: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}
imagePullSecrets: [{name: pull}]
extraArgs: [--admission-policies-interval=1m]
extraEnv: [{name: A, value: b}]
podLabels: {e: f}
commonLabels: {team: platform}
priorityClassName: system-cluster-critical
nodeSelector: {disk: ssd}
tolerations: [{key: infra, operator: Exists}]
topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}]
podDisruptionBudget: {maxUnavailable: 50%}
`,
}

// TestServerDryRun has the API server judge what the chart renders with every switch
// turned. Kinds of the Prometheus operator it does not know; the tests beside have
// decoded these strictly.
func TestServerDryRun(t *testing.T) {
	for _, name := range []string{"schemagate-system", "dry-run"} {
		err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	for name, values := range switches {
		t.Run(name, func(t *testing.T) {
			c, merged := current(t, values)
			rendered, err := helm.Render(c, "v1.37.2", merged)
			must(t, err)
			decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(rendered.Manifest)), 4096)
			for count := 0; ; count++ {
				object := &unstructured.Unstructured{}
				err := decoder.Decode(&object.Object)
				if errors.Is(err, io.EOF) {
					if count == 0 {
						t.Error("nothing was rendered")
					}
					return
				}
				must(t, err)
				if len(object.Object) == 0 {
					continue
				}
				apply := client.ApplyConfigurationFromUnstructured(object)
				if err := admin.Apply(t.Context(), apply, client.DryRunAll, client.FieldOwner("test"), client.ForceOwnership); err != nil {
					t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
		})
	}
}

// probePod is one with the label and without the gate.
func probePod(namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe", Labels: map[string]string{v1alpha1.LabelSchema: "open-webui"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: "open-webui:v0.3.16"}}},
	}
}
