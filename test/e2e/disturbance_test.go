package e2e_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// awaitHeld waits until a drain or its migration is under way.
func (w *world) awaitHeld() {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		schema, err := w.schema(ctx)
		if err != nil {
			return false, err.Error()
		}
		return schema.Status.Gate.State == v1alpha1.GateHeld && schema.Status.Gate.Decision != "", describe(schema)
	})
}

// TestScaleUpInTheMiddle: an autoscaler asks for more pods while the others are
// being ended. It looks every 15 seconds, and so they take longer than that.
func TestScaleUpInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	deployment := w.newDeployment(newRelease, 2)
	template := &deployment.Spec.Template.Spec
	template.TerminationGracePeriodSeconds = new(int64(40))
	template.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 25}}}
	create(t, deployment)
	w.awaitRelease(newRelease, 2)
	w.release(fencingRelease)
	w.awaitHeld()
	// With fewer pods than it is to have at least, it needs no metrics.
	create(t, &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: deployment.Name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment.Name},
			MinReplicas:    new(int32(4)), MaxReplicas: 6,
		},
	})
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)
		return err == nil && *deployment.Spec.Replicas == 4, fmt.Sprintf("%d replicas (%v)", *deployment.Spec.Replicas, err)
	})
	if schema, err := w.schema(t.Context()); err != nil || schema.Status.Gate.State != v1alpha1.GateHeld {
		t.Errorf("the autoscaler has come too late: the gate is %s (%v)", schema.Status.Gate.State, err)
	}
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 4)
}

// TestEvictionInTheMiddle: pods are evicted while the others are being ended, and
// those that wait, too. A budget that forbids it holds up the eviction, and not
// the migration.
func TestEvictionInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 2))
	create(t, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(2)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "open-webui"}},
		},
	})
	w.awaitRelease(newRelease, 2)
	w.release(fencingRelease)
	w.awaitHeld()
	pods, err := w.pods(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range pods {
		// Some are gone by now, and the budget refuses others.
		_ = admin.SubResource("eviction").Create(t.Context(), &pods[i], &policyv1.Eviction{})
	}
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 2)
}

// newSecond returns a workload beside the first one, not created yet.
func (w *world) newSecond(release string, replicas int32) *appsv1.Deployment {
	second := w.newDeployment(release, replicas)
	second.Name = "second"
	second.Spec.Selector.MatchLabels["app"] = "second"
	second.Spec.Template.Labels["app"] = "second"
	return second
}

// TestSeveralWorkloads: two workloads of different releases live on one schema as
// long as it serves both; after a fencing revision the older one waits.
func TestSeveralWorkloads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 1))
	create(t, w.newSecond(oldRelease, 1))
	w.awaitApplied(needs[newRelease])
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		return len(w.ready(ctx, newRelease)) == 1 && len(w.ready(ctx, oldRelease)) == 1, "one of the two does not serve"
	})
	w.release(fencingRelease)
	w.awaitApplied(needs[fencingRelease])
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		return len(w.ready(ctx, fencingRelease)) == 1, "the newest does not serve"
	})
	w.awaitWaiting(oldRelease)
	if left := w.ready(t.Context(), oldRelease); len(left) > 0 {
		t.Errorf("pod %s of the older release serves", left[0].Name)
	}
	w.awaitReason(metav1.ConditionTrue, v1alpha1.ReasonUpToDate)
}

// TestBreakGlass: with the gate open every pod starts, which is told loudly, and
// afterwards it is as before.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(fencingRelease, 1))
	w.awaitRelease(fencingRelease, 1)
	w.patchSchema(`{"spec": {"gate": "Open"}}`)
	w.awaitGateReason(v1alpha1.ReasonGateDisabled)
	w.release(newRelease) // which the schema does not serve any more
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		pods, err := w.pods(ctx)
		return slices.ContainsFunc(pods, func(pod corev1.Pod) bool {
			return pod.Spec.Containers[0].Image == standin(newRelease) && !schedgate.Has(&pod) && pod.Spec.NodeName != ""
		}), fmt.Sprintf("none of %d pods starts (%v)", len(pods), err)
	})
	w.awaitMetrics(fmt.Sprintf(`schemagate_databaseschema_gate_disabled{name=%q,namespace=%q} 1`, schemaName, w.namespace))
	w.patchSchema(`{"spec": {"gate": "Enforced"}}`)
	w.awaitGateReason(v1alpha1.ReasonServing)
	w.release(fencingRelease)
	w.awaitRelease(fencingRelease, 1)
	w.awaitEvents(v1alpha1.ReasonGateDisabled, v1alpha1.ReasonGateEnforced)
	w.release(newRelease)
	w.awaitWaiting(newRelease)
	w.awaitRelease0(newRelease)
}

// awaitRelease0 makes sure that no pod of a release runs while one waits.
func (w *world) awaitRelease0(release string) {
	w.t.Helper()
	pods, err := w.pods(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range pods {
		if pod := &pods[i]; pod.Spec.Containers[0].Image == standin(release) && pod.Status.Phase != corev1.PodPending {
			w.t.Errorf("pod %s of release %s is %s", pod.Name, release, pod.Status.Phase)
		}
	}
}

func (w *world) awaitGateReason(reason string) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		schema, err := w.schema(ctx)
		if err != nil {
			return false, err.Error()
		}
		open := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionGateOpen)
		return open != nil && open.Reason == reason && open.ObservedGeneration == schema.Generation, describe(schema)
	})
}

// awaitEvents waits for events of the schema with these reasons.
func (w *world) awaitEvents(reasons ...string) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		events := &corev1.EventList{}
		if err := admin.List(ctx, events, client.InNamespace(w.namespace)); err != nil {
			return false, err.Error()
		}
		for _, reason := range reasons {
			if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return e.Reason == reason }) {
				return false, "no event " + reason
			}
		}
		return true, ""
	})
}

// ownNode keeps a test that breaks the cluster for others away from one that is
// not the tests' own.
func ownNode(t *testing.T) {
	t.Helper()
	if os.Getenv("CLUSTER") == "current" {
		t.Skip("the cluster is somebody's: CLUSTER=current")
	}
}

// TestNodeDrain empties the only node in the middle of an upgrade, with the
// operator on it, and so runs beside no other test.
func TestNodeDrain(t *testing.T) { //nolint:paralleltest // it empties the node
	ownNode(t)
	w := newWorld(t)
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 2))
	w.awaitRelease(newRelease, 2)
	nodes := &corev1.NodeList{}
	if err := admin.List(t.Context(), nodes); err != nil {
		t.Fatal(err)
	}
	node := nodes.Items[0].Name
	t.Cleanup(func() {
		if err := kubectl(context.WithoutCancel(t.Context()), "uncordon", node); err != nil {
			t.Error(err)
		}
	})
	w.release(fencingRelease)
	w.awaitHeld()
	if err := kubectl(t.Context(), "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"); err != nil {
		t.Fatal(err)
	}
	if err := kubectl(t.Context(), "uncordon", node); err != nil {
		t.Fatal(err)
	}
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 2)
	if err := kubectl(t.Context(), "-n", "schemagate-system", "rollout", "status", "deployment/schemagate", "--timeout=2m"); err != nil {
		t.Fatal(err)
	}
}
