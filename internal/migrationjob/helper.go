package migrationjob

import (
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
)

// Purpose is what a Job that goes before a migration is for: the value of the
// label naming.LabelPurpose.
type Purpose string

// Purposes.
const (
	// PurposeImageCheck pulls the image that pods wait with.
	PurposeImageCheck Purpose = "image-check"

	// PurposeBackup is made from the CronJob of spec.rollout.before.
	PurposeBackup Purpose = "backup"
)

const (
	// checkContainer is the container of an image check.
	checkContainer = "check"

	// checkTTLSeconds is how long an image check is kept: long enough to be seen.
	checkTTLSeconds = 300

	// checkDeadlineSeconds is how long one tries to pull its image.
	checkDeadlineSeconds = 600
)

// NewImageCheck builds a Job that shows that an image can be pulled where the
// pods that wait with it could run. Of the image it runs at most "true", by
// nobody, and that the image has no such program is no failure.
func NewImageCheck(schema *v1alpha1.DatabaseSchema, name, image string, like *corev1.Pod) *batchv1.Job {
	labels := ownLabels(schema)
	labels[naming.LabelPurpose] = string(PurposeImageCheck)
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64(1)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		ImagePullSecrets: like.Spec.ImagePullSecrets,
		NodeSelector:     maps.Clone(like.Spec.NodeSelector),
		Tolerations:      like.Spec.Tolerations,
		Containers: []corev1.Container{{
			Name: checkContainer, Image: image, Command: []string{"true"},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			Resources: corev1.ResourceRequirements{Requests: resources("10m", "16Mi"), Limits: resources("100m", "64Mi")},
		}},
	}
	if like.Spec.Affinity != nil && like.Spec.Affinity.NodeAffinity != nil {
		spec.Affinity = &corev1.Affinity{NodeAffinity: like.Spec.Affinity.NodeAffinity}
	}
	for i := range like.Spec.Containers {
		if container := &like.Spec.Containers[i]; container.Image == image {
			spec.Containers[0].ImagePullPolicy = container.ImagePullPolicy
		}
	}
	return &batchv1.Job{
		ObjectMeta: helperMeta(schema, name, labels, nil),
		Spec: batchv1.JobSpec{
			Parallelism: new(int32(1)), Completions: new(int32(1)), BackoffLimit: new(int32(0)),
			TTLSecondsAfterFinished: new(int32(checkTTLSeconds)),
			// One that nobody waits for any more would try to pull for ever; one that is
			// waited for is made again.
			ActiveDeadlineSeconds: new(int64(checkDeadlineSeconds)),
			Template:              corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}

// NewBackup builds a Job from a CronJob, as `kubectl create job --from` does.
// Its pods are the CronJob's, so nothing of theirs is changed.
func NewBackup(schema *v1alpha1.DatabaseSchema, name string, from *batchv1.CronJob) *batchv1.Job {
	labels := maps.Clone(from.Spec.JobTemplate.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, ownLabels(schema))
	labels[naming.LabelPurpose] = string(PurposeBackup)
	annotations := maps.Clone(from.Spec.JobTemplate.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["cronjob.kubernetes.io/instantiate"] = "manual"
	return &batchv1.Job{
		ObjectMeta: helperMeta(schema, name, labels, annotations),
		Spec:       *from.Spec.JobTemplate.Spec.DeepCopy(),
	}
}

// resources are little, and said because a quota may demand it.
func resources(cpu, memory string) corev1.ResourceList {
	list := make(corev1.ResourceList)
	list[corev1.ResourceCPU], list[corev1.ResourceMemory] = resource.MustParse(cpu), resource.MustParse(memory)
	return list
}

func helperMeta(schema *v1alpha1.DatabaseSchema, name string, labels, annotations map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: schema.Namespace, Name: name, Labels: labels, Annotations: annotations,
		OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(schema, v1alpha1.GroupVersion.WithKind("DatabaseSchema")),
		},
	}
}

// PurposeOf returns what a Job or a pod of one is for; empty for a migration.
func PurposeOf(object metav1.Object) Purpose {
	return Purpose(object.GetLabels()[naming.LabelPurpose])
}

// ReadHelper looks at a Job that goes before a migration. An image check has
// succeeded as soon as its image is there, whatever came of its container.
func ReadHelper(job *batchv1.Job, pods []corev1.Pod) (State, *Waiting) {
	state := Active
	for _, condition := range job.Status.Conditions {
		if condition.Status != corev1.ConditionTrue {
			continue
		}
		switch condition.Type {
		case batchv1.JobComplete:
			state = Succeeded
		case batchv1.JobFailed:
			state = Failed
		case batchv1.JobSuspended, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet:
		default:
		}
	}
	if PurposeOf(job) != PurposeImageCheck {
		return state, nil
	}
	var last *Waiting
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			if status.Name == checkContainer && pulled(status) {
				return Succeeded, nil
			}
			if status.Name == checkContainer && status.State.Waiting != nil {
				last = explainWaiting(status.State.Waiting, status.Image)
			}
		}
		if last == nil {
			last = waiting(&pods[i])
		}
	}
	return state, last
}

// pulled reports whether a container got as far as only one with an image does.
func pulled(status corev1.ContainerStatus) bool {
	if status.ImageID != "" || status.State.Running != nil || status.State.Terminated != nil {
		return true
	}
	if status.State.Waiting == nil {
		return false
	}
	switch status.State.Waiting.Reason {
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError", "CrashLoopBackOff":
		return true
	}
	return false
}
