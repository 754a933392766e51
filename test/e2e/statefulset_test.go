package e2e_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// TestStatefulSetIsNotStuck: an ordered set waits for its first pod to be ready
// before it gives it another template, also when that pod is one that no schema
// will ever serve.
func TestStatefulSetIsNotStuck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	create(t, w.newSchema())
	template := w.newDeployment(oldRelease, 2).Spec
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: template.Replicas, Selector: template.Selector, Template: template.Template, ServiceName: "open-webui",
		},
	}
	set.Spec.Template.Spec.Containers[0].Image = "open-webui:main"
	create(t, set)
	w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonUnknownAppVersion)
	w.patch(&appsv1.StatefulSet{ObjectMeta: set.ObjectMeta},
		`{"spec": {"template": {"spec": {"containers": [{"name": %q, "image": %q}]}}}}`, v1alpha1.DefaultContainer, standin(oldRelease))
	w.awaitRelease(oldRelease, 2)
}
