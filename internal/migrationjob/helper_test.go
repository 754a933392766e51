package migrationjob_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
)

// TestImageCheck: the image is pulled where and how the pod would pull it, and
// nothing else of the pod comes along.
func TestImageCheck(t *testing.T) {
	t.Parallel()
	const image = "ghcr.io/open-webui/open-webui:v0.10.2"
	required := &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}}
	like := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelSchema: "open-webui", "app": "chat"}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "chat", NodeSelector: map[string]string{"disk": "fast"},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
			Tolerations:      []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}},
			Affinity: &corev1.Affinity{
				NodeAffinity:    &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required},
				PodAntiAffinity: &corev1.PodAntiAffinity{},
			},
			Volumes: []corev1.Volume{{Name: "data"}},
			Containers: []corev1.Container{
				{Name: "sidecar", Image: "other", ImagePullPolicy: corev1.PullAlways},
				{Name: "open-webui", Image: image, ImagePullPolicy: corev1.PullNever, Env: []corev1.EnvVar{{Name: "SECRET", Value: "x"}}},
			},
		},
	}
	schema := options(databases()["url"]).Schema
	job := migrationjob.NewImageCheck(schema, "name", image, like)
	pod := job.Spec.Template
	want := corev1.PodSpec{
		NodeSelector: like.Spec.NodeSelector, ImagePullSecrets: like.Spec.ImagePullSecrets, Tolerations: like.Spec.Tolerations,
		Affinity: &corev1.Affinity{NodeAffinity: like.Spec.Affinity.NodeAffinity},
	}
	got := corev1.PodSpec{
		NodeSelector: pod.Spec.NodeSelector, ImagePullSecrets: pod.Spec.ImagePullSecrets, Tolerations: pod.Spec.Tolerations,
		Affinity: pod.Spec.Affinity, Volumes: pod.Spec.Volumes, ServiceAccountName: pod.Spec.ServiceAccountName,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pod (-want +got):\n%s", diff)
	}
	if limit := job.Spec.ActiveDeadlineSeconds; limit == nil || *limit <= 0 {
		t.Error("a check that nobody waits for goes on for ever")
	}
	container := pod.Spec.Containers[0]
	if len(pod.Spec.Containers) != 1 || container.Image != image || container.ImagePullPolicy != corev1.PullNever || len(container.Env) > 0 {
		t.Errorf("the containers are %+v", pod.Spec.Containers)
	}
	if pod.Labels[v1alpha1.LabelSchema] != "" || pod.Labels[naming.LabelJobSchema] != schema.Name || !metav1.IsControlledBy(job, schema) {
		t.Errorf("the labels are %v, the owners %v", pod.Labels, job.OwnerReferences)
	}
	if migrationjob.PurposeOf(job) != migrationjob.PurposeImageCheck || migrationjob.PurposeOf(&pod) != migrationjob.PurposeImageCheck {
		t.Error("it is taken for a migration")
	}
	if detail := restricted(t, pod); detail != "" {
		t.Error(detail)
	}
}

// TestBackup: the Job is what the CronJob would make, and told from migrations.
func TestBackup(t *testing.T) {
	t.Parallel()
	cronJob := &batchv1.CronJob{}
	cronJob.Spec.JobTemplate.Labels = map[string]string{"app": "backup"}
	cronJob.Spec.JobTemplate.Annotations = map[string]string{"note": "x"}
	cronJob.Spec.JobTemplate.Spec.BackoffLimit = new(int32(3))
	cronJob.Spec.JobTemplate.Spec.Template.Labels = map[string]string{"app": "backup-pod"}
	schema := options(databases()["url"]).Schema
	for range 2 { // The CronJob stays as it is.
		job := migrationjob.NewBackup(schema, "name", cronJob)
		if diff := cmp.Diff(cronJob.Spec.JobTemplate.Spec, job.Spec); diff != "" {
			t.Errorf("the Job (-want +got):\n%s", diff)
		}
		if job.Labels["app"] != "backup" || job.Annotations["note"] != "x" || !metav1.IsControlledBy(job, schema) ||
			migrationjob.PurposeOf(job) != migrationjob.PurposeBackup || job.Labels[naming.LabelJobSchema] != schema.Name {
			t.Errorf("the Job is %+v", job.ObjectMeta)
		}
	}
	if len(cronJob.Spec.JobTemplate.Labels) != 1 {
		t.Errorf("the CronJob has become %+v", cronJob.Spec.JobTemplate.ObjectMeta)
	}
	if job := migrationjob.NewBackup(schema, "name", &batchv1.CronJob{}); migrationjob.PurposeOf(job) != migrationjob.PurposeBackup {
		t.Errorf("the Job is %+v", job.ObjectMeta)
	}
}

func TestReadHelper(t *testing.T) {
	t.Parallel()
	job := func(purpose migrationjob.Purpose, conditions ...batchv1.JobConditionType) *batchv1.Job {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{naming.LabelPurpose: string(purpose)}}}
		for _, condition := range conditions {
			job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue})
		}
		return job
	}
	pod := func(status corev1.ContainerStatus) []corev1.Pod {
		status.Name, status.Image = "check", "app:v1"
		return []corev1.Pod{{Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{status}}}}
	}
	waits := func(reason string) corev1.ContainerStatus {
		return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
	}
	const check = migrationjob.PurposeImageCheck
	tests := map[string]struct {
		job     *batchv1.Job
		pods    []corev1.Pod
		want    migrationjob.State
		waiting string
	}{
		"no pod yet":        {job(check), nil, migrationjob.Active, ""},
		"pulling":           {job(check), pod(waits("ContainerCreating")), migrationjob.Active, migrationjob.ContainerCreating},
		"cannot be pulled":  {job(check), pod(waits("ImagePullBackOff")), migrationjob.Active, migrationjob.ImageUnavailable},
		"never pulled":      {job(check), pod(waits("ErrImageNeverPull")), migrationjob.Active, migrationjob.ImageUnavailable},
		"no such program":   {job(check), pod(waits("RunContainerError")), migrationjob.Succeeded, ""},
		"pulled":            {job(check), pod(corev1.ContainerStatus{ImageID: "sha256:1"}), migrationjob.Succeeded, ""},
		"ran":               {job(check, batchv1.JobFailed), pod(corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}), migrationjob.Succeeded, ""},
		"complete":          {job(check, batchv1.JobComplete), nil, migrationjob.Succeeded, ""},
		"its pod was lost":  {job(check, batchv1.JobFailed), nil, migrationjob.Failed, ""},
		"another container": {job(check), []corev1.Pod{{Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "proxy", ImageID: "x"}}}}}, migrationjob.Active, ""},
		"backup":            {job(migrationjob.PurposeBackup), pod(corev1.ContainerStatus{ImageID: "sha256:1"}), migrationjob.Active, ""},
		"backup complete":   {job(migrationjob.PurposeBackup, batchv1.JobSuccessCriteriaMet, batchv1.JobComplete), nil, migrationjob.Succeeded, ""},
		"backup failed":     {job(migrationjob.PurposeBackup, batchv1.JobFailureTarget, batchv1.JobFailed), nil, migrationjob.Failed, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, waiting := migrationjob.ReadHelper(tt.job, tt.pods)
			reason := ""
			if waiting != nil {
				reason = waiting.Reason
			}
			if state != tt.want || reason != tt.waiting {
				t.Errorf("ReadHelper() = %s, %q, want %s, %q", state, reason, tt.want, tt.waiting)
			}
		})
	}
}
