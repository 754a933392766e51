package kubectl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/superseded"
)

// view is a DatabaseSchema with everything around it.
type view struct {
	schema *v1alpha1.DatabaseSchema
	bundle *bundle.Bundle

	// pods are the labeled ones that have not ended, jobs those that the operator
	// has made for the schema, jobPods theirs.
	pods    []corev1.Pod
	jobs    []batchv1.Job
	jobPods []corev1.Pod

	// replaced are the owners of pods that are about to be replaced; unsure says that
	// there may be more of them, which may not be read.
	replaced superseded.Owners
	unsure   bool

	now time.Time
}

// completeSchemas offers the names of the schemas that are there.
func (s *session) completeSchemas(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || s.connect() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	schemas := &v1alpha1.DatabaseSchemaList{}
	if err := s.client.List(cmd.Context(), schemas, client.InNamespace(s.namespace)); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range schemas.Items {
		names = append(names, schemas.Items[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// getSchema reads a schema of the chosen namespace.
func (s *session) getSchema(ctx context.Context, name string) (*v1alpha1.DatabaseSchema, error) {
	schema := &v1alpha1.DatabaseSchema{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, schema)
	if apierrors.IsNotFound(err) {
		return nil, permanent(fmt.Errorf("there is no DatabaseSchema %s in namespace %s: kubectl schemagate status -A lists all", name, s.namespace))
	}
	return schema, err
}

// schemas reads the named schema, or all of the namespace, or all there are.
func (s *session) schemas(ctx context.Context, names []string, all bool) ([]v1alpha1.DatabaseSchema, error) {
	if len(names) > 0 && all {
		return nil, exit.Usage(errors.New("a schema cannot be read by its name across all namespaces: leave out the name, or name the namespace with -n in place of -A"))
	}
	if len(names) > 0 {
		schema, err := s.getSchema(ctx, names[0])
		if err != nil {
			return nil, err
		}
		return []v1alpha1.DatabaseSchema{*schema}, nil
	}
	list := &v1alpha1.DatabaseSchemaList{}
	err := s.client.List(ctx, list, client.InNamespace(s.scope(all)))
	return list.Items, err
}

// scope is the namespace to list in; empty for all.
func (s *session) scope(all bool) string {
	if all {
		return ""
	}
	return s.namespace
}

// view reads what is around a schema.
func (s *session) view(ctx context.Context, schema *v1alpha1.DatabaseSchema) (*view, error) {
	b, err := openWebUI()
	if err != nil {
		return nil, err
	}
	v := &view{schema: schema, bundle: b, now: s.now()}
	pods, jobs, jobPods := &corev1.PodList{}, &batchv1.JobList{}, &corev1.PodList{}
	for _, query := range []struct {
		into  client.ObjectList
		label string
	}{{pods, v1alpha1.LabelSchema}, {jobs, naming.LabelJobSchema}, {jobPods, naming.LabelJobSchema}} {
		if err := s.client.List(ctx, query.into, client.InNamespace(schema.Namespace), client.MatchingLabels{query.label: schema.Name}); err != nil {
			return nil, err
		}
	}
	v.pods = slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	})
	v.jobs = slices.DeleteFunc(jobs.Items, func(job batchv1.Job) bool { return !metav1.IsControlledBy(&job, schema) })
	v.jobPods = jobPods.Items
	slices.SortFunc(v.pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(v.jobs, func(a, b batchv1.Job) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	v.replaced, v.unsure, err = s.replaced(ctx, schema, v.pods)
	return v, err
}

// replaced tells the owners of pods that are being replaced. Who may not read
// them learns less, as a rollback is then not told from an upgrade.
func (s *session) replaced(ctx context.Context, schema *v1alpha1.DatabaseSchema, pods []corev1.Pod) (owners superseded.Owners, unsure bool, err error) {
	sets := &metav1.PartialObjectMetadataList{}
	sets.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	err = s.client.List(ctx, sets, client.InNamespace(schema.Namespace), client.MatchingLabels{v1alpha1.LabelSchema: schema.Name})
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, false, err
	}
	unsure = err != nil
	owners, err = superseded.Find(ctx, s.client, sets.Items, pods)
	if apierrors.IsForbidden(err) {
		unsure, err = true, nil
	}
	return owners, unsure, err
}

// job returns the Job of the attempt that the status has, and its newest pod.
func (v *view) job() (*batchv1.Job, *corev1.Pod) {
	for i := range v.jobs {
		if v.jobs[i].Name == v.schema.Status.Attempt.Job {
			return &v.jobs[i], v.podOf(&v.jobs[i])
		}
	}
	return nil, nil
}

func (v *view) podOf(job *batchv1.Job) *corev1.Pod {
	var newest *corev1.Pod
	for i := range v.jobPods {
		pod := &v.jobPods[i]
		if metav1.IsControlledBy(pod, job) && (newest == nil || newest.CreationTimestamp.Before(&pod.CreationTimestamp)) {
			newest = pod
		}
	}
	return newest
}

// helpers returns the Jobs that go before a migration and have not ended.
func (v *view) helpers() []batchv1.Job {
	var out []batchv1.Job
	for _, job := range v.jobs {
		if migrationjob.PurposeOf(&job) != "" && !jobEnded(&job) {
			out = append(out, job)
		}
	}
	return out
}

func jobEnded(job *batchv1.Job) bool { return migrationjob.Read(job, nil, time.Time{}).Ended() }

// condition returns a condition of the schema; an empty one where there is none.
func (v *view) condition(kind string) metav1.Condition {
	return conditionOf(v.schema, kind)
}

func conditionOf(schema *v1alpha1.DatabaseSchema, kind string) metav1.Condition {
	if found := apimeta.FindStatusCondition(schema.Status.Conditions, kind); found != nil {
		return *found
	}
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown}
}

// observed reports whether the operator has seen the spec as it is.
func observed(schema *v1alpha1.DatabaseSchema) bool {
	return schema.Status.ObservedGeneration != nil && *schema.Status.ObservedGeneration == schema.Generation
}

// resolve returns the revision that a pod needs, and what tells it.
func (v *view) resolve(pod *corev1.Pod) (version int, need requirement.Requirement, err error) {
	if need, err = requirement.Of(pod); err != nil {
		return 0, need, err
	}
	version, err = need.Resolve(v.bundle, explicitTarget(v.schema), plan.Overlay(v.schema.Spec)...)
	return version, need, err
}

// needOf says which revision a pod needs; empty where that cannot be told.
func (v *view) needOf(pod *corev1.Pod) string {
	version, need, err := v.resolve(pod)
	switch {
	case err != nil:
		return ""
	case !need.App.IsZero():
		return fmt.Sprintf("%d (%s)", version, need.App)
	}
	return strconv.Itoa(version)
}

// explicitTarget is the revision that the spec names; 0 for none.
func explicitTarget(schema *v1alpha1.DatabaseSchema) int {
	if schema.Spec.Target.Type == v1alpha1.TargetWorkload || schema.Spec.Target.Type == "" {
		return 0
	}
	return int(schema.Status.TargetRevision.Version)
}

// gated tells the pods that wait from those that run.
func (v *view) gated() (waiting, running []corev1.Pod) {
	for _, pod := range v.pods {
		switch {
		case !schedgate.Has(&pod):
			running = append(running, pod)
		case pod.DeletionTimestamp.IsZero():
			waiting = append(waiting, pod)
		}
	}
	return waiting, running
}

// decide has the operator's own rules say what comes next, for the schema as it
// is, or for pods that need a revision.
func (v *view) decide(to string) plan.Decision {
	schema := v.schema.DeepCopy()
	if schema.Status.Attempt.State == v1alpha1.AttemptPending {
		schema.Status.Attempt.State = v1alpha1.AttemptAbandoned // What is under way is looked at as if it were to begin.
	}
	for _, annotation := range []string{v1alpha1.AnnotationRetry, v1alpha1.AnnotationVerify} {
		delete(schema.Annotations, annotation)
	}
	schema.Spec.Suspend = nil
	o := plan.Observed{Schema: schema, Bundle: v.bundle, Source: schema.Status.Source, Fresh: true, Now: v.now}
	explicit := explicitTarget(schema) > 0
	if to != "" && explicit {
		schema.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetRevision, Revision: v1alpha1.RevisionRef(to)}
	}
	for i := range v.pods {
		o.Pods = append(o.Pods, v.observe(&v.pods[i], to != "" && !explicit))
	}
	if to != "" && !explicit {
		o.Pods = append(o.Pods, plan.Pod{
			Name: "the pod to come", Gated: true, Requirement: requirement.Requirement{Source: requirement.FromAnnotation, Revision: to},
		})
	}
	return plan.Next(o)
}

func (v *view) observe(pod *corev1.Pod, leaves bool) plan.Pod {
	need, err := requirement.Of(pod)
	return plan.Pod{
		Name: pod.Name, UID: string(pod.UID), Created: pod.CreationTimestamp.Time, Superseded: leaves || v.replaced.Has(pod),
		Admitted: pod.Annotations[v1alpha1.AnnotationServedBy] != "",
		Gated:    schedgate.Has(pod), Terminating: !pod.DeletionTimestamp.IsZero(),
		Hold: pod.Annotations[v1alpha1.AnnotationHold], Requirement: need, Unknown: err,
	}
}

// age says how long ago something was, roughly.
func (v *view) age(t time.Time) string { return span(v.now.Sub(t)) }

// span is a duration for people, as kubectl writes ages.
func span(d time.Duration) string { return duration.HumanDuration(max(0, d)) }
