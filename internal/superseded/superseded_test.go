package superseded_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/schemagate/schemagate/internal/superseded"
)

func TestRevision(t *testing.T) {
	t.Parallel()
	set := &metav1.PartialObjectMetadata{}
	for annotations, want := range map[string]int{"deployment.kubernetes.io/revision": 12, "rollout.argoproj.io/revision": 12, "other": 0} {
		set.Annotations = map[string]string{annotations: "12"}
		if got := superseded.Revision(set); got != want {
			t.Errorf("the revision by %s is %d, want %d", annotations, got, want)
		}
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	owned := func(uid types.UID, revision string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Labels:          map[string]string{"controller-revision-hash": revision},
			OwnerReferences: []metav1.OwnerReference{{UID: uid, Controller: new(true)}},
		}}
	}
	owners := superseded.Owners{"old": true, "set/1": true, "set/2": false}
	for name, tt := range map[string]struct {
		uid      types.UID
		revision string
		want     bool
	}{
		"an older ReplicaSet": {"old", "", true}, "the newest": {"new", "", false},
		"an older revision": {"set", "1", true}, "the update's": {"set", "2", false}, "another set": {"other", "1", false},
	} {
		if got := owners.Has(owned(tt.uid, tt.revision)); got != tt.want {
			t.Errorf("%s: Has() = %t, want %t", name, got, tt.want)
		}
	}
	if owners.Has(&corev1.Pod{}) {
		t.Error("a bare pod is superseded")
	}
}
