package controllers

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// schemaWorkers is how many DatabaseSchemas are worked on at a time. Each waits
// for the API server most of the time.
const schemaWorkers = 8

// The pauses after errors, such as a quota that leaves no room for a Job. The default
// grows to a quarter of an hour, which is long for somebody who has mended it.
const (
	retryMin = 10 * time.Millisecond
	retryMax = 30 * time.Second
)

func retries() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryMin, retryMax)
}

// SetupWithManager has the reconciler called when a schema, a labeled pod, a
// migration Job or one of its pods changes. jobPods caches the latter.
func (r *DatabaseSchemaReconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, jobPods cache.Cache) error {
	if err := errors.Join(
		mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, fieldSchema, indexPod),
		mgr.GetFieldIndexer().IndexField(ctx, &batchv1.Job{}, fieldSchema, indexJob),
		mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.DatabaseSchema{}, fieldDatabase, indexDatabase),
		mgr.GetFieldIndexer().IndexField(ctx, NewReplicaSet(), fieldSchema, indexPod),
		jobPods.IndexField(ctx, &corev1.Pod{}, fieldSchema, indexJob),
	); err != nil {
		return err
	}
	build := ctrl.NewControllerManagedBy(mgr)
	if r.Policies != nil {
		build.WatchesRawSource(source.Channel(r.Policies.Changed, &handler.TypedEnqueueRequestForObject[*v1alpha1.DatabaseSchema]{}))
	}
	return build.
		Named("databaseschema").
		For(&v1alpha1.DatabaseSchema{}).
		Watches(&v1alpha1.DatabaseSchema{}, handler.EnqueueRequestsFromMapFunc(r.siblings), withPredicate(databaseChanged())).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(toSchema(indexPod)), withPredicate(podChanged())).
		WatchesMetadata(NewReplicaSet(), handler.EnqueueRequestsFromMapFunc(toSchema(indexPod)), withPredicate(replicaSetChanged())).
		Owns(&batchv1.Job{}).
		WatchesRawSource(source.Kind(jobPods, &corev1.Pod{}, handler.TypedEnqueueRequestsFromMapFunc(
			func(_ context.Context, pod *corev1.Pod) []reconcile.Request { return requests(pod, indexJob) }))).
		WithOptions(controller.Options{MaxConcurrentReconciles: schemaWorkers, RateLimiter: retries()}).
		WithLogConstructor(logs(mgr, "databaseschema", "databaseSchema")).
		Complete(r)
}

// logs gives what a controller logs the name of the object that it works on, under
// a key of its own.
func logs(mgr ctrl.Manager, name, object string) func(*reconcile.Request) logr.Logger {
	logger := mgr.GetLogger().WithValues("controller", name)
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return logger
		}
		return logger.WithValues("namespace", request.Namespace, object, request.Name)
	}
}

// siblings returns the other schemas that refer to the same database.
func (r *DatabaseSchemaReconciler) siblings(ctx context.Context, object client.Object) []reconcile.Request {
	others := &v1alpha1.DatabaseSchemaList{}
	for _, digest := range indexDatabase(object) {
		if err := r.Client.List(ctx, others, client.MatchingFields{fieldDatabase: digest}, client.UnsafeDisableDeepCopy); err != nil {
			return nil // the cache is stopping
		}
	}
	var out []reconcile.Request
	for i := range others.Items {
		if other := &others.Items[i]; other.UID != object.GetUID() {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(other)})
		}
	}
	return out
}

func toSchema(index client.IndexerFunc) handler.MapFunc {
	return func(_ context.Context, object client.Object) []reconcile.Request { return requests(object, index) }
}

func requests(object client.Object, index client.IndexerFunc) []reconcile.Request {
	var out []reconcile.Request
	for _, name := range index(object) {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}})
	}
	return out
}

// databaseChanged leaves out changes that no other schema cares for.
func databaseChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

// podChanged leaves out what nobody decides by, such as the heartbeat of
// a probe.
func podChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*corev1.Pod)
		after, ok2 := e.ObjectNew.(*corev1.Pod)
		return !ok || !ok2 || podFacts(before) != podFacts(after)
	}}
}
