package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

func TestTrimReplicaSet(t *testing.T) {
	t.Parallel()
	set := NewReplicaSet()
	set.Namespace, set.Name, set.UID, set.ResourceVersion = "a", "b", "u", "7"
	set.Labels = map[string]string{v1alpha1.LabelSchema: "s", "app": "x"}
	set.Annotations = map[string]string{"deployment.kubernetes.io/revision": "12", "note": "x"}
	set.OwnerReferences = []metav1.OwnerReference{{Name: "other"}, {Name: "d", Kind: "Deployment", Controller: new(true)}}
	set.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}}
	want := NewReplicaSet()
	want.Namespace, want.Name, want.UID, want.ResourceVersion = "a", "b", "u", "7"
	want.Labels = map[string]string{v1alpha1.LabelSchema: "s"}
	want.Annotations = map[string]string{"deployment.kubernetes.io/revision": "12"}
	want.OwnerReferences = set.OwnerReferences[1:]
	got, err := TrimReplicaSet(set)
	if diff := cmp.Diff(any(want), got); err != nil || diff != "" {
		t.Errorf("TrimReplicaSet() (%v, -want +got):\n%s", err, diff)
	}
}
