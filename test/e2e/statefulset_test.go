package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
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

// TestStatefulSetWithPartition: pods below the partition stay of the revision before.
// The one that waits is not deleted over and over, and comes when the partition goes.
func TestStatefulSetWithPartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	set := w.newStatefulSet()
	set.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
	set.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(1))}
	create(t, set)
	w.awaitRelease(newRelease, 2)
	w.patch(w.newStatefulSet(), `{"spec": {"template": {"spec": {"containers": [{"name": %q, "image": %q}]}}}}`,
		v1alpha1.DefaultContainer, standin(fencingRelease))
	w.awaitApplied(needs[fencingRelease])
	w.awaitWaiting(newRelease)
	// One that is deleted again and again does not get old.
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		pod := &corev1.Pod{}
		err := admin.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: set.Name + "-0"}, pod)
		age := time.Since(pod.CreationTimestamp.Time)
		return err == nil && schedgate.Has(pod) && age > 5*time.Second && len(w.ready(ctx, fencingRelease)) == 1,
			fmt.Sprintf("the pod that waits is %s old (%v)", age, err)
	})
	w.patch(w.newStatefulSet(), `{"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}`)
	w.awaitRelease(fencingRelease, 2)
}
