package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/metrics"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/superseded"
)

// Updating databaseschemas/gate is no call: it is what the admission policy asks
// for when a scheduling gate is taken off.
//
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=schemagate.dev,resources=databaseschemas/gate,verbs=update
// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get

// gateWorkers is how many gates are opened at a time. Each waits for the API
// server most of the time.
const gateWorkers = 16

// stuckRecheck is how often a gated pod of a StatefulSet is looked at again:
// nothing tells when the set gets another template.
const stuckRecheck = 15 * time.Second

// holdRecheck is when to look again at a pod that may start as soon as the cache
// has caught up.
const holdRecheck = 50 * time.Millisecond

// PodGateReconciler opens the gates of pods that the recorded schema serves. It
// never touches other gates.
type PodGateReconciler struct {
	// Client reads from a cache of labeled pods and writes; APIReader asks the
	// API server itself.
	Client    client.Client
	APIReader client.Reader

	// Bundles are the sets of revisions by name.
	Bundles map[v1alpha1.BundleName]*bundle.Bundle

	// Holds is shared with the DatabaseSchemaReconciler.
	Holds *Holds

	// Leads reports whether this process leads; nil where it is the only one.
	Leads func() bool

	// Recorder, Metrics and Clock are as elsewhere.
	Recorder events.EventRecorder
	Metrics  *metrics.Metrics
	Clock    clock.PassiveClock

	// told is what each waiting pod was last told, so that it is told once, and
	// telling bounds how many are told at a time: after a start all are.
	told    sync.Map
	telling flowcontrol.RateLimiter
}

// How many pods are told per second why they wait, how many at once, and when
// the others are looked at again.
const (
	tellRate    = 50
	tellBurst   = 200
	tellRecheck = 10 * time.Second
)

// Reconcile looks at one pod.
func (r *PodGateReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if !leads(r.Leads) {
		return ctrl.Result{RequeueAfter: leaderRecheck}, nil
	}
	pod := &corev1.Pod{}
	err := r.Client.Get(ctx, req.NamespacedName, pod, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if !schedgate.Has(pod) || !pod.DeletionTimestamp.IsZero() {
		r.told.Delete(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	schema, err := r.schemaOf(ctx, pod)
	if err != nil {
		return ctrl.Result{}, err
	}
	release := plan.Release(schema, r.Bundles[schema.Spec.Migrations.Bundle], pod)
	if key := client.ObjectKeyFromObject(schema); release.Allowed && !r.Holds.Seen(key) {
		live := &v1alpha1.DatabaseSchema{}
		if err := r.APIReader.Get(ctx, key, live); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		r.Holds.See(key, live.ResourceVersion)
	}
	if release.Allowed && !r.Holds.Allows(client.ObjectKeyFromObject(schema), schema.ResourceVersion) {
		// The cache shows the schema as it was before a hold, or its end is being
		// written at this moment.
		return ctrl.Result{RequeueAfter: holdRecheck}, nil
	}
	if release.Allowed {
		return r.open(ctx, pod)
	}
	told := unobserved(schema) || r.tell(pod, schema, release)
	result, err := r.unstick(ctx, pod)
	if !told && result.IsZero() {
		result.RequeueAfter = tellRecheck
	}
	return result, err
}

// unobserved reports whether a schema has just changed. What it serves is known in
// a moment, and that brings its pods back. Told before, every pod that waits would
// get two events for each change of the spec.
func unobserved(schema *v1alpha1.DatabaseSchema) bool {
	return schema.UID != "" && schema.DeletionTimestamp.IsZero() && observed(schema) != schema.Generation
}

// schemaOf returns the schema that a pod names; one without a status, which
// serves nobody, if there is none.
func (r *PodGateReconciler) schemaOf(ctx context.Context, pod *corev1.Pod) (*v1alpha1.DatabaseSchema, error) {
	schema := &v1alpha1.DatabaseSchema{}
	key := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Labels[v1alpha1.LabelSchema]}
	err := r.Client.Get(ctx, key, schema, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		schema.Namespace, schema.Name = key.Namespace, key.Name
		return schema, nil
	}
	return schema, err
}

// open takes the gate off, if the pod is still the one that was decided about.
func (r *PodGateReconciler) open(ctx context.Context, pod *corev1.Pod) (ctrl.Result, error) {
	at := schedgate.Index(pod)
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": pod.UID},
		{"op": "test", "path": "/metadata/resourceVersion", "value": pod.ResourceVersion},
		{"op": "test", "path": fmt.Sprintf("/spec/schedulingGates/%d/name", at), "value": v1alpha1.GateName},
		{"op": "remove", "path": fmt.Sprintf("/spec/schedulingGates/%d", at)},
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = r.Client.Patch(ctx, target, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(naming.FieldOwner))
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err), apierrors.IsInvalid(err):
		// The pod has changed since; the cache will show how.
		return ctrl.Result{RequeueAfter: time.Second}, nil
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("opening the gate: %w", err)
	}
	wait := r.Clock.Since(pod.CreationTimestamp.Time)
	r.Metrics.Opened(wait)
	log.FromContext(ctx).Info("Opened a gate", "databaseSchema", pod.Labels[v1alpha1.LabelSchema], "durationSeconds", int(wait.Seconds()))
	return ctrl.Result{}, nil
}

// tell explains to whoever describes the pod why it waits: once for each reason.
// It returns false if that has to wait.
func (r *PodGateReconciler) tell(pod *corev1.Pod, schema *v1alpha1.DatabaseSchema, release plan.Admission) bool {
	key := client.ObjectKeyFromObject(pod)
	told := string(pod.UID) + release.Reason + release.Message
	if before, ok := r.told.Load(key); ok && before == told {
		return true
	}
	if !r.telling.TryAccept() {
		return false
	}
	r.told.Store(key, told)
	var related *v1alpha1.DatabaseSchema
	if schema.UID != "" {
		related = schema
	}
	kind := corev1.EventTypeNormal
	if release.Reason == v1alpha1.ReasonUnknownAppVersion {
		kind = corev1.EventTypeWarning
	}
	if related == nil {
		r.Recorder.Eventf(pod, nil, kind, release.Reason, ActionWait, "%s", note(release.Message))
		return true
	}
	r.Recorder.Eventf(pod, related, kind, release.Reason, ActionWait, "%s", note(release.Message))
	return true
}

// unstick deletes a waiting pod that its StatefulSet would replace if the pod
// ran: an ordered set waits for its pods to be ready before it gives them another
// template, and this one never will be.
func (r *PodGateReconciler) unstick(ctx context.Context, pod *corev1.Pod) (ctrl.Result, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "StatefulSet" || pod.Spec.NodeName != "" {
		return ctrl.Result{}, nil
	}
	set := &appsv1.StatefulSet{}
	err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}, set)
	if err != nil || set.UID != owner.UID {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !superseded.Replaces(set, pod) || set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return ctrl.Result{RequeueAfter: stuckRecheck}, nil
	}
	target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = r.Client.Delete(ctx, target, client.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion})
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("deleting a pod that its StatefulSet waits for: %w", err)
	}
	log.FromContext(ctx).Info("Deleted a pod that its StatefulSet waited for", "databaseSchema", pod.Labels[v1alpha1.LabelSchema])
	return ctrl.Result{}, nil
}

// SetupWithManager has the reconciler called when a labeled pod or its schema
// changes.
func (r *PodGateReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.telling = flowcontrol.NewTokenBucketRateLimiter(tellRate, tellBurst)
	return ctrl.NewControllerManagedBy(mgr).
		Named("podgate").
		For(&corev1.Pod{}, withPredicate(podChanged())).
		Watches(&v1alpha1.DatabaseSchema{}, handler.EnqueueRequestsFromMapFunc(r.waiting), withPredicate(gateChanged())).
		WithOptions(controller.Options{MaxConcurrentReconciles: gateWorkers, RateLimiter: retries()}).
		WithLogConstructor(logs(mgr, "podgate", "pod")).
		Complete(r)
}

// waiting returns the pods of a schema that its gate holds.
func (r *PodGateReconciler) waiting(ctx context.Context, object client.Object) []reconcile.Request {
	pods := &corev1.PodList{}
	if err := r.Client.List(ctx, pods, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{fieldSchema: object.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil // the cache is stopping
	}
	var out []reconcile.Request
	for i := range pods.Items {
		if pod := &pods.Items[i]; schedgate.Has(pod) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pod)})
		}
	}
	return out
}

// gateChanged leaves out changes that open no gate.
func gateChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.DatabaseSchema)
		after, ok2 := e.ObjectNew.(*v1alpha1.DatabaseSchema)
		return !ok || !ok2 || before.Generation != after.Generation || before.Status.Serves != after.Status.Serves ||
			before.Status.Gate != after.Status.Gate || before.Status.TargetRevision != after.Status.TargetRevision ||
			observed(before) != observed(after)
	}}
}
