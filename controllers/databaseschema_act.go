package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/plan"
)

// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=patch
// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas/finalizers,verbs=update

// act carries a recorded decision out. It writes children only, and everything
// it does can be done twice.
func (r *DatabaseSchemaReconciler) act(ctx context.Context, schema *v1alpha1.DatabaseSchema, next plan.Decision) error {
	return errors.Join(r.evict(ctx, schema, next.Evict), r.do(ctx, schema, next))
}

func (r *DatabaseSchemaReconciler) do(ctx context.Context, schema *v1alpha1.DatabaseSchema, next plan.Decision) error {
	switch next.Action {
	case plan.Discard:
		return r.discard(ctx, schema, next.Strays)
	case plan.Prepare:
		return r.prepare(ctx, schema, next.Work)
	case plan.Help:
		return r.help(ctx, schema, *next.Helper)
	case plan.Drain:
		return r.stamp(ctx, schema)
	case plan.StartJob:
		return r.start(ctx, schema)
	case plan.Idle, plan.Wait, plan.AwaitJob, plan.Record, plan.RequireApproval, plan.Stall, plan.Suspend:
		return nil
	default:
		return nil
	}
}

// prepare creates the Job. It runs nothing yet: it starts when it is found to be
// what the recorded plan is for.
func (r *DatabaseSchemaReconciler) prepare(ctx context.Context, schema *v1alpha1.DatabaseSchema, work *plan.Work) error {
	attempt := schema.Status.Attempt
	job := migrationjob.New(migrationjob.Options{
		Schema: schema, Name: attempt.Job, Decision: attempt.Decision, Attempt: attempt.Number,
		Image: r.Image, Cluster: r.Cluster, Target: work.To, Expect: work.From,
		Fence: work.Fence, RefuseFencing: work.RefuseFencing, RefuseDestructive: work.RefuseDestructive, AllowDowngrade: work.Downgrade,
		Environment: r.traced(schema),
	})
	err := r.Client.Create(ctx, job, client.FieldOwner(naming.FieldOwner))
	if !apierrors.IsAlreadyExists(err) {
		if err != nil {
			return rejected(job.Name, err)
		}
		log.FromContext(ctx).Info("Created a Job", "job", job.Name, "revision", work.To)
		return r.warnDeadlines(ctx, schema, work)
	}
	// The cache lags behind, or the name is taken.
	existing := &batchv1.Job{}
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(job), existing); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !metav1.IsControlledBy(existing, schema) {
		return &rejectedError{job: job.Name, why: "another Job has its name", err: errors.New("it is not one of this DatabaseSchema: delete it")}
	}
	return nil
}

// rejectedError is a Job that the API server does not take: by a quota, by somebody's
// admission control, or because of what the spec has it contain.
type rejectedError struct {
	job, why string
	err      error
}

func (e *rejectedError) Error() string { return fmt.Sprintf("creating Job %s: %v", e.job, e.err) }

func (e *rejectedError) Unwrap() error { return e.err }

// rejected tells what is rejected from what only failed. What the answer says is for
// the log alone: it may hold anything.
func rejected(job string, err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return &rejectedError{job: job, why: string(apierrors.ReasonForError(err)), err: err}
	}
	return fmt.Errorf("creating Job %s: %w", job, err)
}

// tellRejected has the conditions say that a Job could not be made. It is tried again
// all the same.
func tellRejected(next plan.Decision, err error) plan.Decision {
	if e, ok := errors.AsType[*rejectedError](err); ok && next.Verdict == plan.Progressing {
		next.Reason = v1alpha1.ReasonJobRejected
		next.Message = fmt.Sprintf("The API server does not take Job %s (%s). The operator's log has the whole answer; it is tried again by itself.", e.job, e.why)
	}
	return next
}

// start lets the Job run, if it is still the one that was looked at.
func (r *DatabaseSchemaReconciler) start(ctx context.Context, schema *v1alpha1.DatabaseSchema) error {
	job := &batchv1.Job{}
	key := types.NamespacedName{Namespace: schema.Namespace, Name: schema.Status.Attempt.Job}
	if err := r.Client.Get(ctx, key, job); err != nil {
		return err
	}
	if err := r.patch(ctx, job, map[string]any{
		"metadata": map[string]any{"uid": job.UID, "resourceVersion": job.ResourceVersion},
		"spec":     map[string]any{"suspend": false},
	}); err != nil {
		return fmt.Errorf("starting Job %s: %w", job.Name, err)
	}
	log.FromContext(ctx).Info("Started a Job", "job", job.Name)
	return nil
}

// discard deletes Jobs that no plan stands behind, if they are still as they
// were looked at. Their pods roll back what they have not committed.
func (r *DatabaseSchemaReconciler) discard(ctx context.Context, schema *v1alpha1.DatabaseSchema, strays []migrationjob.Run) error {
	var errs []error
	for _, stray := range strays {
		uid := types.UID(stray.UID)
		job := &batchv1.Job{}
		job.Namespace, job.Name = schema.Namespace, stray.Name
		err := r.Client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground),
			client.Preconditions{UID: &uid, ResourceVersion: &stray.ResourceVersion})
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("deleting Job %s: %w", stray.Name, err))
			continue
		}
		log.FromContext(ctx).Info("Deleted a Job", "job", stray.Name)
	}
	return errors.Join(errs...)
}

// patch sends a merge patch.
func (r *DatabaseSchemaReconciler) patch(ctx context.Context, object client.Object, change map[string]any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return r.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, body), client.FieldOwner(naming.FieldOwner))
}
