package superseded_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
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
	owned := func(uid, own types.UID) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: own, OwnerReferences: []metav1.OwnerReference{{UID: uid, Controller: new(true)}}}}
	}
	owners := superseded.Owners{"old": true, "pod-1": true}
	for name, tt := range map[string]struct {
		uid, own types.UID
		want     bool
	}{
		"an older ReplicaSet": {"old", "", true}, "the newest": {"new", "", false},
		"one of a set": {"set", "pod-1", true}, "another one": {"set", "pod-2", false},
	} {
		if got := owners.Has(owned(tt.uid, tt.own)); got != tt.want {
			t.Errorf("%s: Has() = %t, want %t", name, got, tt.want)
		}
	}
	if owners.Has(&corev1.Pod{}) {
		t.Error("a bare pod is superseded")
	}
}

func TestReplaces(t *testing.T) {
	t.Parallel()
	rolling := func(partition int32) *appsv1.StatefulSet {
		set := &appsv1.StatefulSet{}
		set.Status.UpdateRevision = "2"
		set.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &partition}
		return set
	}
	starting := func(partition, start int32) *appsv1.StatefulSet {
		set := rolling(partition)
		set.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: start}
		return set
	}
	unseen := rolling(0)
	unseen.Generation = 2
	for name, tt := range map[string]struct {
		set            *appsv1.StatefulSet
		name, revision string
		want           bool
	}{
		"an older revision":          {rolling(0), "web-0", "1", true},
		"the newest":                 {rolling(0), "web-0", "2", false},
		"no revision":                {rolling(0), "web-0", "", false},
		"no strategy":                {&appsv1.StatefulSet{Status: appsv1.StatefulSetStatus{UpdateRevision: "2"}}, "web-0", "1", true},
		"below the partition":        {rolling(2), "web-1", "1", false},
		"at the partition":           {rolling(2), "web-2", "1", true},
		"with other ordinals, below": {starting(2, 10), "web-11", "1", false},
		"with other ordinals, at":    {starting(2, 10), "web-12", "1", true},
		"of a generation before":     {unseen, "web-0", "1", false},
		"no ordinal":                 {rolling(0), "web", "1", false},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: tt.name, Labels: map[string]string{appsv1.StatefulSetRevisionLabel: tt.revision}}}
		if got := superseded.Replaces(tt.set, pod); got != tt.want {
			t.Errorf("%s: Replaces() = %t, want %t", name, got, tt.want)
		}
	}
}
