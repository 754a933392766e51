package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/schemagate/schemagate/internal/superseded"
)

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
	trimmed.Annotations = keep(set.Annotations, superseded.IsRevision)
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

// replicaSetChanged passes what moves a rollout.
func replicaSetChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*metav1.PartialObjectMetadata)
		after, ok2 := e.ObjectNew.(*metav1.PartialObjectMetadata)
		return !ok || !ok2 || superseded.Revision(before) != superseded.Revision(after)
	}}
}
