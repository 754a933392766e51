package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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
	for annotations, want := range map[string]int{"deployment.kubernetes.io/revision": 12, "rollout.argoproj.io/revision": 12, "other": 0} {
		set.Annotations = map[string]string{annotations: "12"}
		if got := revisionOf(set); got != want {
			t.Errorf("the revision by %s is %d, want %d", annotations, got, want)
		}
	}
}

func TestIsSuperseded(t *testing.T) {
	t.Parallel()
	owned := func(uid types.UID, revision string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Labels:          map[string]string{"controller-revision-hash": revision},
			OwnerReferences: []metav1.OwnerReference{{UID: uid, Controller: new(true)}},
		}}
	}
	superseded := map[string]bool{"old": true, "set/1": true, "set/2": false}
	for name, tt := range map[string]struct {
		uid      types.UID
		revision string
		want     bool
	}{
		"an older ReplicaSet": {"old", "", true}, "the newest": {"new", "", false},
		"an older revision": {"set", "1", true}, "the update's": {"set", "2", false}, "another set": {"other", "1", false},
	} {
		if got := isSuperseded(owned(tt.uid, tt.revision), superseded); got != tt.want {
			t.Errorf("%s: isSuperseded() = %t, want %t", name, got, tt.want)
		}
	}
	if isSuperseded(&corev1.Pod{}, superseded) {
		t.Error("a bare pod is superseded")
	}
}
