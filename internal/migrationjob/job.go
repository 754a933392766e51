// Package migrationjob is the Job that migrates a database: how it is built from
// a DatabaseSchema, and what is read from it and its pod. It is pure.
package migrationjob

import (
	"cmp"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/naming"
)

// Annotations of a migration Job.
const (
	// AnnotationDecision is the digest of the plan that the Job carries out.
	AnnotationDecision = v1alpha1.GroupName + "/decision"

	// AnnotationAttempt is the number of the attempt.
	AnnotationAttempt = v1alpha1.GroupName + "/attempt"
)

// Container is the name of the only container of a migration pod.
const Container = "migrate"

// defaultTTLSeconds is what spec.execution.ttlSecondsAfterFinished defaults to.
const defaultTTLSeconds = 86400

// Options say what a Job is to do.
type Options struct {
	// Schema is the resource. It is only read.
	Schema *v1alpha1.DatabaseSchema

	// Name of the Job, from naming.Job.
	Name string

	// Decision and Attempt identify the plan.
	Decision string
	Attempt  int64

	// Image is the operator's own. Its entry point is the program.
	Image string

	// Cluster is what the database remembers the cluster by.
	Cluster string

	// Target is the revision to bring the database to, Expect the one at which
	// it is taken to be, nil for none.
	Target int
	Expect *int

	// Fence has the migration look for sessions of others before fencing
	// revisions; the spec says whose do not count.
	Fence bool

	// Environment is added to that of the container. It must be the same for the
	// same attempt, and hold no secret.
	Environment []corev1.EnvVar

	// RefuseFencing, RefuseDestructive and AllowDowngrade are flags of
	// "schemagate migrate".
	RefuseFencing, RefuseDestructive, AllowDowngrade bool
}

// New builds the Job, suspended: it runs nothing until it is started.
//
// Its pod is never replaced. Every new pod begins with a plan of its own, made
// from what is true by then; and two pods of one Job could both be at work,
// because a pod counts as failed before it has ended. So any failure of the pod
// is the end of the Job, and the operator makes the next one, with its own pause.
// The policy on exit codes adds nothing to that but the code in the Job's
// condition, for people.
func New(o Options) *batchv1.Job {
	schema := o.Schema
	execution := schema.Spec.Execution
	labels := ownLabels(schema)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: schema.Namespace, Name: o.Name, Labels: labels,
			Annotations: map[string]string{
				AnnotationDecision: o.Decision, AnnotationAttempt: strconv.FormatInt(o.Attempt, 10),
			},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(schema, v1alpha1.GroupVersion.WithKind("DatabaseSchema")),
			},
		},
		Spec: batchv1.JobSpec{
			Suspend:                 new(true),
			Parallelism:             new(int32(1)),
			Completions:             new(int32(1)),
			BackoffLimit:            new(int32(0)),
			PodReplacementPolicy:    ptr.To(batchv1.Failed),
			TTLSecondsAfterFinished: new(cmp.Or(execution.TTLSecondsAfterFinished, defaultTTLSeconds)),
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action: batchv1.PodFailurePolicyActionFailJob,
				OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
					ContainerName: new(Container), Operator: batchv1.PodFailurePolicyOnExitCodesOpIn,
					Values: []int32{result.ExitUsage, result.ExitTransient, result.ExitPermanent, result.ExitRefused, result.ExitLocked},
				},
			}}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       podSpec(o),
			},
		},
	}
	if execution.ActiveDeadlineSeconds > 0 {
		job.Spec.ActiveDeadlineSeconds = new(int64(execution.ActiveDeadlineSeconds))
	}
	decorate(&job.Spec.Template, execution.PodTemplate)
	return job
}

func ownLabels(schema *v1alpha1.DatabaseSchema) map[string]string {
	return map[string]string{naming.LabelManagedBy: naming.ManagedBy, naming.LabelJobSchema: schema.Name}
}
