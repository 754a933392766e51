package integration_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := server.Client.Create(t.Context(), object); err != nil {
		t.Fatalf("creating %T: %v", object, err)
	}
}

func updateStatus(t *testing.T, schema *v1alpha1.DatabaseSchema) {
	t.Helper()
	if err := server.Client.Status().Update(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
}

// newServingSchema creates a schema whose status, of its current generation,
// serves an interval.
func newServingSchema(t *testing.T, namespace string, interval v1alpha1.Serves) {
	t.Helper()
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	serve(t, schema, interval)
}

// serve writes the status that the operator would write, and waits until the
// API server decides by it.
func serve(t *testing.T, schema *v1alpha1.DatabaseSchema, interval v1alpha1.Serves) {
	t.Helper()
	schema.Status.ObservedGeneration = new(schema.Generation)
	schema.Status.Gate = v1alpha1.GateStatus{State: v1alpha1.GateOpen}
	schema.Status.Serves = interval
	updateStatus(t, schema)
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		pod := labeledPod(schema.Namespace, "app:1")
		pod.Labels[v1alpha1.LabelSchema] = schema.Name
		pod.Annotations = map[string]string{v1alpha1.AnnotationRequires: fmt.Sprint(interval.To)}
		err := server.Client.Create(ctx, pod, client.DryRunAll)
		return err == nil && !schedgate.Has(pod), fmt.Sprintf("the status does not act yet (%v)", err)
	})
}

func labeledPod(namespace, image string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, GenerateName: "open-webui-", Labels: map[string]string{v1alpha1.LabelSchema: schemaName},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: image}}},
	}
}

func gateNames(pod *corev1.Pod) []string {
	var names []string
	for _, gate := range pod.Spec.SchedulingGates {
		names = append(names, gate.Name)
	}
	return names
}
