package controllers

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// revisionAnnotations are those by which the owners of ReplicaSets number them:
// the highest is the one that is wanted, also after a rollback, which gives an
// old ReplicaSet a new number.
var revisionAnnotations = []string{"deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"}

// NewReplicaSet returns what ReplicaSets are read as: of all that there is to
// them only metadata matters.
func NewReplicaSet() *metav1.PartialObjectMetadata {
	set := &metav1.PartialObjectMetadata{}
	set.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	return set
}

// TrimReplicaSet drops what no decision follows from.
func TrimReplicaSet(object any) (any, error) {
	set, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	trimmed := NewReplicaSet()
	trimmed.Namespace, trimmed.Name, trimmed.UID, trimmed.ResourceVersion = set.Namespace, set.Name, set.UID, set.ResourceVersion
	trimmed.Labels = keep(set.Labels, isOurs)
	trimmed.Annotations = keep(set.Annotations, func(key string) bool {
		return key == revisionAnnotations[0] || key == revisionAnnotations[1]
	})
	if owner := metav1.GetControllerOf(set); owner != nil {
		trimmed.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	return trimmed, nil
}

// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=get;list;watch

// replicaSets are those whose pods carry the label. What makes a ReplicaSet from
// a template gives it the template's labels, too; one without is its own workload.
func (r *DatabaseSchemaReconciler) replicaSets(ctx context.Context, schema client.Object) ([]metav1.PartialObjectMetadata, error) {
	sets := &metav1.PartialObjectMetadataList{}
	sets.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	if err := r.Client.List(ctx, sets, client.InNamespace(schema.GetNamespace()),
		client.MatchingFields{fieldSchema: schema.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ReplicaSets: %w", err)
	}
	return sets.Items, nil
}

// superseded returns the owners of pods that their workload is about to replace:
// UIDs of ReplicaSets, and for StatefulSets the UID with the revision.
func (r *DatabaseSchemaReconciler) superseded(ctx context.Context, schema client.Object, pods []corev1.Pod) (map[string]bool, error) {
	sets, err := r.replicaSets(ctx, schema)
	if err != nil {
		return nil, err
	}
	newest := map[types.UID]int{}
	for i := range sets {
		if owner := metav1.GetControllerOf(&sets[i]); owner != nil {
			newest[owner.UID] = max(newest[owner.UID], revisionOf(&sets[i]))
		}
	}
	out := map[string]bool{}
	for i := range sets {
		if owner := metav1.GetControllerOf(&sets[i]); owner != nil && revisionOf(&sets[i]) < newest[owner.UID] {
			out[string(sets[i].UID)] = true
		}
	}
	return out, r.supersededOrdinals(ctx, pods, out)
}

func revisionOf(set *metav1.PartialObjectMetadata) int {
	for _, key := range revisionAnnotations {
		if revision, err := strconv.Atoi(set.Annotations[key]); err == nil {
			return revision
		}
	}
	return 0
}

// supersededOrdinals asks for the StatefulSets that have pods of two revisions,
// which is while they are rolled out.
func (r *DatabaseSchemaReconciler) supersededOrdinals(ctx context.Context, pods []corev1.Pod, out map[string]bool) error {
	type set struct {
		key       types.NamespacedName
		revisions map[string]bool
	}
	sets := map[types.UID]set{}
	for i := range pods {
		pod := &pods[i]
		owner, revision := metav1.GetControllerOf(pod), pod.Labels[appsv1.StatefulSetRevisionLabel]
		if owner == nil || owner.Kind != "StatefulSet" || revision == "" {
			continue
		}
		if _, ok := sets[owner.UID]; !ok {
			sets[owner.UID] = set{types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}, map[string]bool{}}
		}
		sets[owner.UID].revisions[revision] = true
	}
	for uid, s := range sets {
		if len(s.revisions) < 2 {
			continue
		}
		live := &appsv1.StatefulSet{}
		if err := r.APIReader.Get(ctx, s.key, live); err != nil {
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("reading StatefulSet %s: %w", s.key.Name, err)
			}
			continue
		}
		if live.UID != uid || live.Status.UpdateRevision == "" || live.Status.ObservedGeneration != live.Generation {
			continue
		}
		for revision := range s.revisions {
			out[string(uid)+"/"+revision] = revision != live.Status.UpdateRevision
		}
	}
	return nil
}

// isSuperseded looks a pod up in what superseded returns.
func isSuperseded(pod *corev1.Pod, superseded map[string]bool) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return false
	}
	return superseded[string(owner.UID)] || superseded[string(owner.UID)+"/"+pod.Labels[appsv1.StatefulSetRevisionLabel]]
}

// replicaSetChanged passes what moves a rollout.
func replicaSetChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*metav1.PartialObjectMetadata)
		after, ok2 := e.ObjectNew.(*metav1.PartialObjectMetadata)
		return !ok || !ok2 || revisionOf(before) != revisionOf(after)
	}}
}
