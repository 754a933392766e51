package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/admission"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

const schemaName = "open-webui"

// TestGatedPodRunsOnceOpened follows one pod from the label to its end: it
// waits, an administrator cannot let it go, a gatekeeper can, and it runs.
func TestGatedPodRunsOnceOpened(t *testing.T) {
	t.Parallel()
	namespace := newUnwatchedNamespace(t) // A gatekeeper is not bound by what is served.
	create(t, apiserver.NewSchema(namespace, schemaName))
	job := application(namespace, "0.11.0")
	create(t, job)

	var pod *corev1.Pod
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		var reason string
		pod, reason = onlyPod(ctx, t, job)
		return pod != nil && waits(pod), reason
	})
	patch := client.RawPatch(types.JSONPatchType, fmt.Appendf(nil, `[{"op": "remove", "path": "/spec/schedulingGates/%d"}]`, schedgate.Index(pod)))
	if err := admin.Patch(t.Context(), pod.DeepCopy(), patch); !apierrors.IsForbidden(err) {
		t.Errorf("an administrator opens the gate: %v, want a refusal", err)
	}

	letIn(t, pod)
	awaitComplete(t, job)
}

// letIn opens a pod's gate as a gatekeeper.
func letIn(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: "gatekeeper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "schemagate-gatekeeper"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "gatekeeper"}},
	})
	patch := client.RawPatch(types.JSONPatchType, fmt.Appendf(nil, `[{"op": "remove", "path": "/spec/schedulingGates/%d"}]`, schedgate.Index(pod)))
	gatekeeper := as(t, "gatekeeper")
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := gatekeeper.Patch(ctx, pod.DeepCopy(), patch)
		return err == nil, fmt.Sprint(err)
	})
}

// TestGatekeeperAfterAFence: a pod that a gatekeeper lets in after a migration that
// it was to be kept away from runs on, though the operator has ended all others.
func TestGatekeeperAfterAFence(t *testing.T) {
	t.Parallel()
	w := newWorldIn(t, newUnwatchedNamespace(t)) // A gatekeeper is not bound by what is served.
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 1))
	w.awaitApplied(needs[newRelease])
	w.release(fencingRelease)
	w.awaitApplied(needs[fencingRelease])

	late := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "late"}, Spec: w.newDeployment(fencingRelease, 1).Spec.Template.Spec}
	late.Labels = map[string]string{v1alpha1.LabelSchema: schemaName}
	late.Annotations = map[string]string{v1alpha1.AnnotationRequires: newRelease}
	create(t, late)
	if !schedgate.Has(late) {
		t.Fatal("a pod of the release before is let in")
	}
	letIn(t, late)
	await := func(what string, is func() bool) {
		t.Helper()
		apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
			err := admin.Get(ctx, client.ObjectKeyFromObject(late), late)
			return err == nil && is(), fmt.Sprintf("not %s: %s, deleted %v (%v)", what, late.Status.Phase, late.DeletionTimestamp, err)
		})
	}
	await("running", func() bool { return isReady(late) })
	w.annotate(v1alpha1.AnnotationVerify, "look")
	await("looked at", func() bool {
		schema, err := w.schema(t.Context())
		return err == nil && schema.Status.LastHandledVerify == "look" && schema.Status.Attempt.State == v1alpha1.AttemptSucceeded
	})
	await("left alone", func() bool { return late.DeletionTimestamp.IsZero() && isReady(late) })
}

// TestServedPodNeedsNoOperator: the API server alone decides, by the status
// that was recorded before the operator was stopped.
func TestServedPodNeedsNoOperator(t *testing.T) {
	namespace := newNamespace(t)
	stopOperator(t)
	schema := apiserver.NewSchema(namespace, schemaName)
	create(t, schema)
	schema.Status.ObservedGeneration = new(schema.Generation)
	schema.Status.Gate.State = v1alpha1.GateOpen
	schema.Status.Serves = v1alpha1.Serves{From: 68, To: 73, AppFrom: "0.11.0", AppBefore: "0.11.1"}
	if err := admin.Status().Update(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		probe := &corev1.Pod{ObjectMeta: application(namespace, "0.11.0").Spec.Template.ObjectMeta, Spec: application(namespace, "").Spec.Template.Spec}
		probe.Namespace, probe.GenerateName = namespace, "probe-"
		err := admin.Create(ctx, probe, client.DryRunAll)
		return err == nil && !schedgate.Has(probe), fmt.Sprintf("the status does not act yet (%v)", err)
	})

	served := application(namespace, "0.11.0")
	create(t, served)
	awaitComplete(t, served)

	held := application(namespace, "0.11.1")
	create(t, held)
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		pods := &corev1.PodList{}
		if err := admin.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{batchv1.JobNameLabel: held.Name}); err != nil {
			return false, err.Error()
		}
		return len(pods.Items) == 1 && waits(&pods.Items[0]), fmt.Sprintf("%d pods", len(pods.Items))
	})
}

// application is a Job whose pod says which release it is.
func application(namespace, release string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "application-"},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      map[string]string{v1alpha1.LabelSchema: schemaName},
					Annotations: map[string]string{v1alpha1.AnnotationRequires: release},
				},
				Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever,
					Containers: []corev1.Container{{
						Name: v1alpha1.DefaultContainer, Image: image, Args: []string{"version"},
						ImagePullPolicy: corev1.PullIfNotPresent,
					}},
				},
			},
		},
	}
}

// waits reports whether a pod is held by the gate, as the scheduler sees it,
// and has been told to leave the database alone.
func waits(pod *corev1.Pod) bool {
	held := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated
	})
	off := slices.Contains(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: admission.MigrationsEnv, Value: "false"})
	return held && off && pod.Spec.NodeName == "" && schedgate.Has(pod)
}

// onlyPod returns the pod of a Job; the operator's own are beside it.
func onlyPod(ctx context.Context, t *testing.T, job *batchv1.Job) (*corev1.Pod, string) {
	t.Helper()
	pods := &corev1.PodList{}
	if err := admin.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name}); err != nil {
		return nil, err.Error()
	}
	if len(pods.Items) != 1 {
		return nil, fmt.Sprintf("%d pods", len(pods.Items))
	}
	pod := &pods.Items[0]
	return pod, fmt.Sprintf("gates %v, conditions %v", pod.Spec.SchedulingGates, pod.Status.Conditions)
}

func awaitComplete(t *testing.T, job *batchv1.Job) {
	t.Helper()
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		current := &batchv1.Job{}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(job), current); err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(current.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
		}), fmt.Sprintf("%+v", current.Status)
	})
}

// stopOperator leaves no operator running until the test ends.
func stopOperator(t *testing.T) {
	t.Helper()
	scale(t.Context(), t, 0)
	t.Cleanup(func() { scale(context.WithoutCancel(t.Context()), t, 2) })
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		pods := &corev1.PodList{}
		if err := admin.List(ctx, pods, client.InNamespace("schemagate-system")); err != nil {
			return false, err.Error()
		}
		return len(pods.Items) == 0, fmt.Sprintf("%d pods of the operator are left", len(pods.Items))
	})
}

func scale(ctx context.Context, t *testing.T, replicas int32) {
	t.Helper()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "schemagate-system", Name: "schemagate"}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas))
	if err := admin.Patch(ctx, deployment, patch); err != nil {
		t.Fatal(err)
	}
}

func as(t *testing.T, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(restConfig)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: apiserver.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newNamespace creates a namespace that goes when the test ends, and is watched
// until then: no pod may be let in, start or stay where its schema does not serve
// it.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := newUnwatchedNamespace(t)
	watchNamespace(t, namespace)
	return namespace
}

func newUnwatchedNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	create(t, namespace)
	t.Cleanup(func() {
		if err := admin.Delete(context.WithoutCancel(t.Context()), namespace); err != nil {
			t.Error(err)
		}
	})
	return namespace.Name
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), object); err != nil {
		t.Fatalf("creating %T: %v", object, err)
	}
}
