package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// +kubebuilder:rbac:groups=core,resources=pods,verbs=get;list;watch;patch;delete

// evict deletes pods, each only if it is still the one that was seen, and with
// the time to end that it asks for. It goes past PodDisruptionBudgets: these
// protect what serves, and what is deleted here must not.
func (r *DatabaseSchemaReconciler) evict(ctx context.Context, schema *v1alpha1.DatabaseSchema, pods []plan.Eviction) error {
	var errs []error
	for i := range pods {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: schema.Namespace, Name: pods[i].Name, UID: types.UID(pods[i].UID)}}
		options := []client.DeleteOption{client.Preconditions{UID: &pod.UID}}
		if pods[i].Abrupt {
			// Without any time to end, nobody would wait for its containers.
			options = append(options, client.GracePeriodSeconds(1))
		}
		err := r.Client.Delete(ctx, pod, options...)
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			continue // it is another pod by now, or none
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("deleting pod %s: %w", pod.Name, err))
			continue
		}
		r.Metrics.Drained()
		log.FromContext(ctx).Info("Deleted a pod that the migration would break", "pod", pod.Name)
		r.Recorder.Eventf(pod, schema, corev1.EventTypeNormal, v1alpha1.ReasonDraining, string(plan.Drain),
			"Deleted because DatabaseSchema %s is about to be migrated to what this pod cannot use; the pod that replaces it waits.", schema.Name)
	}
	return errors.Join(errs...)
}

// stamp marks every pod that waits with the hold. The mark means nothing in
// itself: it gives the pod another resourceVersion, so that a gate that another
// operator process is about to open, by a decision of before, stays closed.
func (r *DatabaseSchemaReconciler) stamp(ctx context.Context, schema *v1alpha1.DatabaseSchema) error {
	pods := &corev1.PodList{}
	if err := r.APIReader.List(ctx, pods, client.InNamespace(schema.Namespace),
		client.MatchingLabels{v1alpha1.LabelSchema: schema.Name}); err != nil {
		return fmt.Errorf("listing labeled pods: %w", err)
	}
	hold := schema.Status.Attempt.Job // every attempt has another
	for i := range pods.Items {
		pod := &pods.Items[i]
		if !schedgate.Has(pod) || pod.Annotations[v1alpha1.AnnotationHold] == hold {
			continue
		}
		err := r.patch(ctx, pod, map[string]any{"metadata": map[string]any{
			"uid": pod.UID, "annotations": map[string]any{v1alpha1.AnnotationHold: hold},
		}})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("stamping pod %s: %w", pod.Name, err)
		}
	}
	return nil
}

// +kubebuilder:rbac:groups=batch,resources=cronjobs,verbs=get

// help creates a Job that has to succeed before pods are ended.
func (r *DatabaseSchemaReconciler) help(ctx context.Context, schema *v1alpha1.DatabaseSchema, helper plan.Helper) error {
	job, err := r.helperJob(ctx, schema, helper)
	if err != nil || job == nil {
		return err
	}
	if err := r.Client.Create(ctx, job, client.FieldOwner(naming.FieldOwner)); err != nil && !apierrors.IsAlreadyExists(err) {
		return rejected(job.Name, err)
	}
	log.FromContext(ctx).Info("Created a Job", "job", job.Name, "reason", string(helper.Kind))
	return nil
}

// helperJob returns nil if what it would be made from is gone.
func (r *DatabaseSchemaReconciler) helperJob(ctx context.Context, schema *v1alpha1.DatabaseSchema, helper plan.Helper) (*batchv1.Job, error) {
	if helper.Kind == migrationjob.PurposeBackup {
		cronJob := &batchv1.CronJob{}
		if err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: schema.Namespace, Name: helper.Subject}, cronJob); err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		return migrationjob.NewBackup(schema, helper.Name, cronJob), nil
	}
	pod := &corev1.Pod{}
	if err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: schema.Namespace, Name: helper.Pod}, pod); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return migrationjob.NewImageCheck(schema, helper.Name, helper.Subject, pod), nil
}

// missesCronJob reports whether a decision is to make a Job from a CronJob that
// does not exist.
func (r *DatabaseSchemaReconciler) missesCronJob(ctx context.Context, schema *v1alpha1.DatabaseSchema, next plan.Decision) (bool, error) {
	if next.Helper == nil || next.Helper.Kind != migrationjob.PurposeBackup {
		return false, nil
	}
	cronJob := &metav1.PartialObjectMetadata{}
	cronJob.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("CronJob"))
	err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: schema.Namespace, Name: next.Helper.Subject}, cronJob)
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get

// warnDeadlines tells of Deployments that would be reported as failed while
// their pods wait for what begins now. The rollout itself goes on all the same.
func (r *DatabaseSchemaReconciler) warnDeadlines(ctx context.Context, schema *v1alpha1.DatabaseSchema, work *plan.Work) error {
	expected := int32(0)
	if work.Fence {
		expected = schema.Spec.Rollout.DrainTimeoutSeconds
	}
	longest := int32(0)
	for _, entry := range schema.Status.History {
		longest = max(longest, ptr.Deref(entry.DurationSeconds, 0))
	}
	sets, err := r.replicaSets(ctx, schema)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range sets {
		owner := metav1.GetControllerOf(&sets[i])
		if owner == nil || owner.Kind != "Deployment" || !strings.HasPrefix(owner.APIVersion, appsv1.GroupName+"/") || seen[owner.Name] {
			continue
		}
		seen[owner.Name] = true
		deployment := &appsv1.Deployment{}
		if err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: schema.Namespace, Name: owner.Name}, deployment); err != nil {
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("reading Deployment %s: %w", owner.Name, err)
			}
			continue
		}
		if deadline := ptr.Deref(deployment.Spec.ProgressDeadlineSeconds, 600); deadline <= expected+longest {
			r.Recorder.Eventf(schema, deployment, corev1.EventTypeWarning, EventProgressDeadlineShort, string(plan.Prepare),
				"Deployment %s has a progressDeadlineSeconds of %d. Ending its pods may take %d seconds and migrations took up to %d, "+
					"so it may be reported as failed meanwhile, though it goes on by itself. Raise it.", owner.Name, deadline, expected, longest)
		}
	}
	return nil
}
