package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/superseded"
)

// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch

// Fields by which the caches are indexed, so that the cost of an event does not
// grow with the number of schemas and pods elsewhere.
const (
	// fieldSchema of a pod or Job is the name of its DatabaseSchema.
	fieldSchema = "schemagate.dev/schema"

	// fieldDatabase of a DatabaseSchema is the digest of its database.
	fieldDatabase = "schemagate.dev/database"
)

// observe reads what a decision follows from, and writes nothing.
func (r *DatabaseSchemaReconciler) observe(ctx context.Context, schema *v1alpha1.DatabaseSchema) (plan.Observed, error) {
	b, ok := r.Bundles[schema.Spec.Migrations.Bundle]
	if !ok {
		return plan.Observed{}, fmt.Errorf("spec.migrations.bundle is %q, which this operator does not have", schema.Spec.Migrations.Bundle)
	}
	o := plan.Observed{Schema: schema, Bundle: b, Source: databaseDigest(schema), Now: r.Clock.Now()}
	o.HeldFor = r.Holds.InForce(client.ObjectKeyFromObject(schema), holdOf(schema))
	if err := r.observeJobs(ctx, schema, &o); err != nil {
		return o, err
	}
	if err := r.observePods(ctx, schema, &o); err != nil {
		return o, err
	}
	elder, err := r.elder(ctx, schema, o.Source)
	o.Elder = elder
	return o, err
}

// holdOf tells the hold that a schema records from all others; empty when it
// records none.
func holdOf(schema *v1alpha1.DatabaseSchema) string {
	gate := apimeta.FindStatusCondition(schema.Status.Conditions, v1alpha1.ConditionGateOpen)
	if schema.Status.Gate.Decision == "" || gate == nil || gate.Status != metav1.ConditionFalse {
		return ""
	}
	return schema.Status.Attempt.Job + "/" + gate.LastTransitionTime.UTC().String()
}

// observeJobs reads the Jobs of the schema and their pods.
func (r *DatabaseSchemaReconciler) observeJobs(ctx context.Context, schema *v1alpha1.DatabaseSchema, o *plan.Observed) error {
	jobs := &batchv1.JobList{}
	if err := r.Client.List(ctx, jobs, ofSchema(schema)...); err != nil {
		return fmt.Errorf("listing Jobs: %w", err)
	}
	pods, err := r.jobPods(ctx, schema)
	if err != nil {
		return err
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if !metav1.IsControlledBy(job, schema) {
			continue
		}
		if migrationjob.PurposeOf(job) != "" {
			observeHelper(job, pods[job.UID], o)
			continue
		}
		run := migrationjob.Read(job, pods[job.UID], o.Now)
		delete(pods, job.UID)
		if job.Name != schema.Status.Attempt.Job {
			o.PodsLeft += run.PodsLeft
			if !run.Ended() && run.Result == nil && !run.Deleting {
				o.Strays = append(o.Strays, run)
			}
			continue
		}
		if o.Job, err = r.readAgain(ctx, schema, job, run, o.Now); err != nil {
			return err
		}
	}
	// Pods whose Job is gone.
	for _, left := range pods {
		if migrationjob.PurposeOf(&left[0]) == "" {
			o.PodsLeft += migrationjob.PodsLeft(left, o.Now)
		}
	}
	return nil
}

// jobPods returns the pods of the schema's Jobs by the UID of their Job, but for
// backups: there the label is not ours to set.
func (r *DatabaseSchemaReconciler) jobPods(ctx context.Context, schema *v1alpha1.DatabaseSchema) (map[types.UID][]corev1.Pod, error) {
	pods := &corev1.PodList{}
	if err := r.JobPods.List(ctx, pods, ofSchema(schema)...); err != nil {
		return nil, fmt.Errorf("listing migration pods: %w", err)
	}
	byJob := map[types.UID][]corev1.Pod{}
	for _, pod := range pods.Items {
		if migrationjob.PurposeOf(&pod) == migrationjob.PurposeBackup {
			continue
		}
		owner := ptr.Deref(metav1.GetControllerOf(&pod), metav1.OwnerReference{})
		byJob[owner.UID] = append(byJob[owner.UID], pod)
	}
	return byJob, nil
}

// observeHelper reads a Job that goes before a migration.
func observeHelper(job *batchv1.Job, pods []corev1.Pod, o *plan.Observed) {
	if !job.DeletionTimestamp.IsZero() {
		return
	}
	state, waiting := migrationjob.ReadHelper(job, pods)
	o.Helpers = append(o.Helpers, plan.HelperRun{
		Name: job.Name, UID: string(job.UID), ResourceVersion: job.ResourceVersion, State: state, Waiting: waiting,
	})
}

// readAgain asks the API server itself for the pods of a Job that is over
// without having told anything: its end and theirs are in two caches, and theirs
// may lag behind. What a migration did must not count as lost because of that.
func (r *DatabaseSchemaReconciler) readAgain(
	ctx context.Context, schema *v1alpha1.DatabaseSchema, job *batchv1.Job, run migrationjob.Run, now time.Time,
) (*migrationjob.Run, error) {
	if !run.Ended() || run.Result != nil || schema.Status.Attempt.State != v1alpha1.AttemptPending {
		return &run, nil
	}
	pods := &corev1.PodList{}
	if err := r.APIReader.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingLabels{naming.LabelJobSchema: schema.Name}); err != nil {
		return nil, fmt.Errorf("listing the pods of Job %s: %w", job.Name, err)
	}
	run = migrationjob.Read(job, slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !metav1.IsControlledBy(&pod, job) }), now)
	return &run, nil
}

// observePods reads the labeled pods. While a fencing migration is about to
// start they come from the API server itself, because a cache may lag behind.
func (r *DatabaseSchemaReconciler) observePods(ctx context.Context, schema *v1alpha1.DatabaseSchema, o *plan.Observed) error {
	o.Fresh = schema.Status.Gate.Decision != "" && schema.Status.Attempt.State == v1alpha1.AttemptPending &&
		o.Job != nil && o.Job.Suspended
	pods := &corev1.PodList{}
	var err error
	if o.Fresh {
		err = r.APIReader.List(ctx, pods, client.InNamespace(schema.Namespace), client.MatchingLabels{v1alpha1.LabelSchema: schema.Name})
	} else {
		err = r.Client.List(ctx, pods, append(ofSchema(schema), client.UnsafeDisableDeepCopy)...)
	}
	if err != nil {
		return fmt.Errorf("listing labeled pods: %w", err)
	}
	sets, err := r.replicaSets(ctx, schema)
	if err != nil {
		return err
	}
	replaced, err := superseded.Find(ctx, r.APIReader, sets, pods.Items)
	if err != nil {
		return err
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			o.Pods = append(o.Pods, observePod(pod, replaced.Has(pod)))
		}
	}
	return nil
}

func observePod(pod *corev1.Pod, superseded bool) plan.Pod {
	need, err := requirement.Of(pod)
	image := ""
	if container, err := requirement.Container(pod); err == nil {
		image = container.Image
	}
	return plan.Pod{
		Name: pod.Name, UID: string(pod.UID), Created: pod.CreationTimestamp.Time, Image: image, Superseded: superseded,
		Admitted: pod.Annotations[v1alpha1.AnnotationServedBy] != "",
		Abrupt:   ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, 1) == 0,
		Gated:    schedgate.Has(pod), Terminating: !pod.DeletionTimestamp.IsZero(),
		Hold: pod.Annotations[v1alpha1.AnnotationHold], Requirement: need, Unknown: err,
	}
}

func ofSchema(schema *v1alpha1.DatabaseSchema) []client.ListOption {
	return []client.ListOption{client.InNamespace(schema.Namespace), client.MatchingFields{fieldSchema: schema.Name}}
}

// elder says which is the oldest other schema that refers to the same database, if
// it is older than this one. It names none of another namespace: who may read this
// status may not read there.
func (r *DatabaseSchemaReconciler) elder(ctx context.Context, schema *v1alpha1.DatabaseSchema, source string) (string, error) {
	others := &v1alpha1.DatabaseSchemaList{}
	if err := r.Client.List(ctx, others, client.MatchingFields{fieldDatabase: source}, client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("listing DatabaseSchemas: %w", err)
	}
	elder := schema
	for i := range others.Items {
		if other := &others.Items[i]; other.DeletionTimestamp.IsZero() && isOlder(other, elder) {
			elder = other
		}
	}
	if elder.UID == schema.UID {
		return "", nil
	}
	if elder.Namespace != schema.Namespace {
		return "one of another namespace", nil
	}
	return elder.Name, nil
}

// isOlder breaks a tie by UID, so that all sides agree.
func isOlder(a, b *v1alpha1.DatabaseSchema) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return cmp.Less(a.UID, b.UID)
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// databaseDigest tells databases apart as far as the operator can see: by the
// reference, not by what a Secret holds. With what proves who one is, such as
// a password, it does not change.
func databaseDigest(schema *v1alpha1.DatabaseSchema) string {
	d := schema.Spec.Database
	var parts []string
	switch {
	case d.SQLite.ClaimName != "":
		parts = []string{"sqlite", schema.Namespace, string(d.SQLite.ClaimName), d.SQLite.Path}
	case d.Host != "":
		port := cmp.Or(d.Port, 5432)
		parts = []string{"postgres", strings.ToLower(d.Host), strconv.Itoa(int(port)), d.Name, cmp.Or(d.Schema, "public")}
	default:
		ref := d.URLFrom.SecretKeyRef
		parts = []string{"url", schema.Namespace, string(ref.Name), ref.Key, cmp.Or(d.Schema, "public")}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}

// indexPod and indexJob return the schema that an object belongs to.
func indexPod(object client.Object) []string {
	if name := object.GetLabels()[v1alpha1.LabelSchema]; name != "" {
		return []string{name}
	}
	return nil
}

func indexJob(object client.Object) []string {
	if name := object.GetLabels()[naming.LabelJobSchema]; name != "" {
		return []string{name}
	}
	return nil
}

func indexDatabase(object client.Object) []string {
	schema, ok := object.(*v1alpha1.DatabaseSchema)
	if !ok {
		return nil
	}
	return []string{databaseDigest(schema)}
}
