package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// argument adds an argument to the operator.
func argument(t *testing.T, argument string) {
	t.Helper()
	patch := fmt.Sprintf(`[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": %q}]`, argument)
	if err := kubectl(t.Context(), "-n", "schemagate-system", "patch", "deployment", "schemagate", "--type=json", "-p", patch); err != nil {
		t.Fatal(err)
	}
}

// TestWithoutPolicies takes the policies away that Kubernetes has since 1.36
// only, and so runs beside no other test. The operator says so, and pods whose
// template has the gate are held and let in as ever.
func TestWithoutPolicies(t *testing.T) { //nolint:paralleltest // it changes the whole cluster
	ownNode(t)
	root := apiserver.RepositoryRoot()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(root, "config", "default")); err != nil {
			t.Fatal(err)
		}
		if err := kubectl(ctx, "-n", "schemagate-system", "rollout", "status", "deployment/schemagate", "--timeout=4m"); err != nil {
			t.Fatal(err)
		}
		awaitGated(ctx, t)
	})
	for _, file := range []string{"add.yaml", "served.yaml"} {
		if err := kubectl(t.Context(), "delete", "-f", filepath.Join(root, "config", "admission", file)); err != nil {
			t.Fatal(err)
		}
	}
	argument(t, "--admission-policies-interval=1s")
	awaitComplaint(t)
	argument(t, "--admission-policies=Optional")
	if err := kubectl(t.Context(), "-n", "schemagate-system", "rollout", "status", "deployment/schemagate", "--timeout=4m"); err != nil {
		t.Fatal(err)
	}

	w := newWorld(t)
	create(t, w.newSchema())
	deployment := w.newDeployment(newRelease, 2)
	deployment.Spec.Template.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.GateName}}
	// The policy that is missing would have set this, too.
	deployment.Spec.Template.Spec.Containers[0].Env = append(deployment.Spec.Template.Spec.Containers[0].Env,
		corev1.EnvVar{Name: "ENABLE_DB_MIGRATIONS", Value: "false"})
	create(t, deployment)
	w.awaitRelease(newRelease, 2)
	schema := w.awaitApplied(needs[newRelease])
	open := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionGateOpen)
	if open == nil || open.Status != metav1.ConditionTrue || open.Reason != v1alpha1.ReasonPoliciesMissing || !strings.Contains(open.Message, "schemagate-gate-served") {
		t.Errorf("the condition is %+v", open)
	}
	w.release(fencingRelease)
	w.awaitApplied(needs[fencingRelease])
	w.awaitRelease(fencingRelease, 2)
	w.release(newRelease)
	w.awaitReason(metav1.ConditionFalse, v1alpha1.ReasonDowngradeRequired)
	w.awaitWaiting(newRelease)
}

// awaitComplaint waits until a replica says that the policies are missing, in its
// log and by not being ready.
func awaitComplaint(t *testing.T) {
	t.Helper()
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		pods := &corev1.PodList{}
		if err := admin.List(ctx, pods, client.InNamespace("schemagate-system")); err != nil {
			return false, err.Error()
		}
		seen := ""
		for i := range pods.Items {
			pod := &pods.Items[i]
			if !strings.Contains(fmt.Sprint(pod.Spec.Containers[0].Args), "interval") || pod.Status.Phase != corev1.PodRunning {
				continue
			}
			logs, err := kubectlOutput(ctx, "-n", "schemagate-system", "logs", pod.Name)
			if err == nil && strings.Contains(logs, "MutatingAdmissionPolicy schemagate-gate-add") && !isReady(pod) {
				return true, ""
			}
			seen += fmt.Sprintf("; %s, ready %t, error %v", pod.Name, isReady(pod), err)
		}
		return false, fmt.Sprintf("none of %d replicas says that the policies are missing%s", len(pods.Items), seen)
	})
}

// awaitGated waits until the policies act again.
func awaitGated(ctx context.Context, t *testing.T) {
	t.Helper()
	for range 300 {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "probe", Labels: map[string]string{v1alpha1.LabelSchema: "probe"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: "app:1.0.0"}}},
		}
		if err := admin.Create(ctx, pod, client.DryRunAll); err == nil && schedgate.Has(pod) {
			return
		}
	}
	t.Fatal("the policies do not act again")
}
