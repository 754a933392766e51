package migrationjob

import (
	"cmp"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/internal/migrate/result"
)

// State is how far a Job is.
type State string

// States.
const (
	// Active: the Job is suspended, waits for its pod, or runs.
	Active State = "Active"

	// Succeeded: the Job is complete.
	Succeeded State = "Succeeded"

	// Failed: the Job has failed.
	Failed State = "Failed"
)

// Run is what is seen of a migration Job and its pods.
type Run struct {
	// Name, UID and ResourceVersion of the Job.
	Name, UID, ResourceVersion string

	// Created is when the API server made the Job, in whole seconds.
	Created metav1.Time

	// Decision is the digest of the plan that the Job carries out.
	Decision string

	// Deleting says that the Job is being deleted, Suspended that it may not
	// run.
	Deleting, Suspended bool

	// State follows from the Job's conditions.
	State State

	// FailureReason is the reason of the condition that says Failed.
	FailureReason string

	// Result is what the migration says about itself; nil while it runs, and
	// if it has not said anything.
	Result *result.Result

	// ExitCode is that of the container; nil while it has not ended.
	ExitCode *int32

	// StartTime and FinishTime are the container's.
	StartTime, FinishTime *metav1.Time

	// Waiting says why no container runs yet; nil when one does or has.
	Waiting *Waiting

	// PodsLeft counts the pods that have not ended, and Overdue those whose end
	// is overdue because their node is lost. A pod is one or the other.
	PodsLeft, Overdue int
}

// Ended reports whether the Job is over.
func (r Run) Ended() bool { return r.State == Succeeded || r.State == Failed }

// Waiting is why a container does not run yet.
type Waiting struct {
	// Reason is one of the constants below.
	Reason string

	// Message holds names of objects only.
	Message string
}

// Reasons of Waiting.
const (
	// SecretMissing: the Secret with the URL, the user or the password, or the key
	// of it, does not exist. One of a volume, as certificates are, is told in
	// events only: ContainerCreating.
	SecretMissing = "SecretMissing"

	// ImageUnavailable: the image cannot be pulled.
	ImageUnavailable = "ImageUnavailable"

	// ContainerFailed: the container cannot be created or started.
	ContainerFailed = "ContainerFailed"

	// Unschedulable: no node takes the pod.
	Unschedulable = "Unschedulable"

	// ContainerCreating: nothing is known to be wrong.
	ContainerCreating = "ContainerCreating"
)

// overdue is how long after its grace period a pod that is being deleted may
// still be there before its node counts as lost.
const overdue = 30 * time.Second

// Read looks at a Job and its own pods. That a pod cannot be created at all, by
// quota or by admission, is in events of the Job only, and not seen here.
func Read(job *batchv1.Job, pods []corev1.Pod, now time.Time) Run {
	run := Run{
		Name: job.Name, UID: string(job.UID), ResourceVersion: job.ResourceVersion, Created: job.CreationTimestamp,
		Decision: job.Annotations[AnnotationDecision], Deleting: !job.DeletionTimestamp.IsZero(),
		Suspended: ptr.Deref(job.Spec.Suspend, false), State: Active,
	}
	for _, condition := range job.Status.Conditions {
		if condition.Status != corev1.ConditionTrue {
			continue
		}
		switch condition.Type {
		case batchv1.JobComplete:
			run.State = Succeeded
		case batchv1.JobFailed:
			run.State, run.FailureReason = Failed, condition.Reason
		case batchv1.JobSuspended, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet:
		default:
		}
	}
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b corev1.Pod) int {
		return b.CreationTimestamp.Compare(a.CreationTimestamp.Time)
	})
	for i := range sorted {
		pod := &sorted[i]
		run.readContainer(pod)
		if i == 0 {
			run.Waiting = waiting(pod)
		}
		if isOverdue(pod, now) {
			run.Overdue++
		}
	}
	run.PodsLeft = PodsLeft(pods, now)
	return run
}

// PodsLeft counts the pods that have not ended, without those on lost nodes.
func PodsLeft(pods []corev1.Pod, now time.Time) int {
	left := 0
	for i := range pods {
		if !ended(&pods[i]) && !isOverdue(&pods[i], now) {
			left++
		}
	}
	return left
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func isOverdue(pod *corev1.Pod, now time.Time) bool {
	// The timestamp includes the grace period.
	return !ended(pod) && pod.DeletionTimestamp != nil && now.Sub(pod.DeletionTimestamp.Time) > overdue
}

// readContainer takes over what the newest container that has ended says.
func (r *Run) readContainer(pod *corev1.Pod) {
	for _, status := range pod.Status.ContainerStatuses {
		end := status.State.Terminated
		if status.Name != Container || end == nil || r.ExitCode != nil {
			continue
		}
		r.ExitCode = &end.ExitCode
		if !end.StartedAt.IsZero() {
			r.StartTime = &end.StartedAt
		}
		if !end.FinishedAt.IsZero() {
			r.FinishTime = &end.FinishedAt
		}
		if res, err := result.Decode([]byte(strings.TrimSpace(end.Message))); err == nil {
			r.Result = &res
		}
	}
}

// waiting says why the container of a pod does not run.
func waiting(pod *corev1.Pod) *Waiting {
	if pod.Status.Phase != corev1.PodPending {
		return nil
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == Container && status.State.Waiting != nil {
			return explainWaiting(status.State.Waiting, status.Image)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return &Waiting{Reason: Unschedulable, Message: clean(cmp.Or(condition.Message, condition.Reason))}
		}
	}
	return &Waiting{Reason: ContainerCreating}
}

func explainWaiting(state *corev1.ContainerStateWaiting, image string) *Waiting {
	switch state.Reason {
	case "CreateContainerConfigError":
		return &Waiting{Reason: SecretMissing, Message: clean(state.Message)}
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable":
		// What a registry answers may hold anything.
		return &Waiting{Reason: ImageUnavailable, Message: "the image " + clean(image) + " is not available (" + clean(state.Reason) + ")"}
	case "CreateContainerError", "RunContainerError", "StartError":
		return &Waiting{Reason: ContainerFailed, Message: "the container runtime says " + clean(state.Reason)}
	}
	return &Waiting{Reason: ContainerCreating}
}

// maxMessage bounds what is taken over from others, in bytes.
const maxMessage = 256

// clean drops what could break a line or a terminal, and shortens.
func clean(message string) string {
	message = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\uFFFD' {
			return ' '
		}
		return c
	}, message)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	return strings.TrimSuffix(strings.TrimSpace(message), ".")
}
