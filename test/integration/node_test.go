package integration_test

import (
	"context"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// What is here plays the two parts that a bare API server lacks: the Job
// controller, which makes pods of Jobs and says when they are over, and the
// kubelet, which says how containers end. Everything else is real; the tests of
// test/e2e have the real ones of these, too.

// startedJob waits for a schema's Job of an attempt that may run.
func startedJob(t *testing.T, schema *v1alpha1.DatabaseSchema, attempt string) *batchv1.Job {
	t.Helper()
	var job *batchv1.Job
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		jobs := &batchv1.JobList{}
		err := server.Client.List(ctx, jobs, client.InNamespace(schema.Namespace), client.MatchingLabels{naming.LabelJobSchema: schema.Name})
		if err != nil {
			return false, err.Error()
		}
		for i := range jobs.Items {
			if found := &jobs.Items[i]; found.Annotations[migrationjob.AnnotationAttempt] == attempt && !*found.Spec.Suspend {
				job = found
			}
		}
		return job != nil, fmt.Sprintf("%d Jobs, none of attempt %s that may run", len(jobs.Items), attempt)
	})
	return job
}

// runPod makes the pod of a Job, as the Job controller does.
func runPod(t *testing.T, job *batchv1.Job) *corev1.Pod {
	t.Helper()
	template := job.Spec.Template
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, GenerateName: job.Name + "-", Labels: template.Labels, Annotations: template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: template.Spec,
	}
	create(t, pod)
	return pod
}

// endPod has the container end with a result.
func endPod(t *testing.T, pod *corev1.Pod, res result.Result) {
	t.Helper()
	res.Kind = result.Kind
	message, err := res.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pod.Status.Phase = corev1.PodRunning // the kubelet tells the phase later
	now := metav1.Now()
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: migrationjob.Container, Image: "schemagate:test", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: int32(res.ExitCode()), Message: string(message), StartedAt: now, FinishedAt: now, //nolint:gosec // at most 14
		}},
	}}
	if err := server.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

// endJob has the Job end after its pod: well if that has ended so.
func endJob(t *testing.T, job *batchv1.Job, pod *corev1.Pod) {
	t.Helper()
	code := pod.Status.ContainerStatuses[0].State.Terminated.ExitCode
	pod.Status.Phase = corev1.PodSucceeded
	conditions := []batchv1.JobCondition{{Type: batchv1.JobSuccessCriteriaMet}, {Type: batchv1.JobComplete}}
	if code != 0 {
		pod.Status.Phase = corev1.PodFailed
		conditions = []batchv1.JobCondition{{Type: batchv1.JobFailureTarget}, {Type: batchv1.JobFailed, Reason: batchv1.JobReasonPodFailurePolicy}}
	}
	if err := server.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	job.Status.StartTime = &now
	for _, condition := range conditions {
		condition.Status, condition.LastTransitionTime = corev1.ConditionTrue, now
		job.Status.Conditions = append(job.Status.Conditions, condition)
	}
	job.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	if code == 0 {
		job.Status.Succeeded, job.Status.CompletionTime = 1, &now
	} else {
		job.Status.Failed = 1
	}
	if err := server.Client.Status().Update(t.Context(), job); err != nil {
		t.Fatal(err)
	}
}

// migrate plays the Job of an attempt to its end.
func migrate(t *testing.T, schema *v1alpha1.DatabaseSchema, attempt string, res result.Result) {
	t.Helper()
	job := startedJob(t, schema, attempt)
	pod := runPod(t, job)
	endPod(t, pod, res)
	endJob(t, job, pod)
}

// pullImage plays the pod that shows that an image can be pulled.
func pullImage(t *testing.T, schema *v1alpha1.DatabaseSchema) {
	t.Helper()
	var job *batchv1.Job
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		jobs := &batchv1.JobList{}
		err := server.Client.List(ctx, jobs, client.InNamespace(schema.Namespace),
			client.MatchingLabels{naming.LabelPurpose: string(migrationjob.PurposeImageCheck)})
		if len(jobs.Items) == 1 {
			job = &jobs.Items[0]
		}
		return job != nil, fmt.Sprintf("%d image checks (%v)", len(jobs.Items), err)
	})
	pod := runPod(t, job)
	container := pod.Spec.Containers[0]
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: container.Name, Image: container.Image, ImageID: "sha256:1"}}
	if err := server.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}
