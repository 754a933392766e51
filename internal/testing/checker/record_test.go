package checker

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// gatedPod is a labeled pod as the API server shows it, waiting.
func gatedPod(number int) *corev1.Pod {
	p := freePod(number)
	p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.GateName}}
	return p
}

// freePod is the same pod without the gate.
func freePod(number int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: podKey.Namespace, Name: podKey.Name, UID: "pod-uid", ResourceVersion: strconv.Itoa(number),
			Labels: map[string]string{v1alpha1.LabelSchema: schemaKey.Name, "app": "web"}, Annotations: map[string]string{"example.com/a": "b"},
		},
		Spec: corev1.PodSpec{
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "example.com/quota"}},
			Containers:      []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: oldImage}, {Name: "proxy", Image: "proxy:1"}},
		},
	}
}

func terminating(p *corev1.Pod, at float64, grace int64) *corev1.Pod {
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{Time: second(at)}, &grace
	return p
}

func phase(p *corev1.Pod, phase corev1.PodPhase) *corev1.Pod {
	p.Status.Phase = phase
	return p
}

func running(p *corev1.Pod, container string, at float64) *corev1.Pod {
	p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
		Name: container, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Time{Time: second(at)}}},
	})
	return p
}

// crashed is a pod whose application has ended twice and waits to be started
// again.
func crashed(p *corev1.Pod, last float64) *corev1.Pod {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:  v1alpha1.DefaultContainer,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.Time{Time: second(last)}},
		},
	}}
	return p
}

// at is the sighting of an event.
func at(s float64) sighting { return sighting{earliest: second(s), latest: second(s)} }

// listed is a sighting after events were missed.
func listed(after string, since, s float64) sighting {
	return sighting{after: after, earliest: second(since), latest: second(s)}
}

var first = sighting{initial: true, earliest: second(0), latest: second(0)}

func TestRecordPod(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		record func(*recorder)
		want   pod
	}{
		"waits": {
			record: func(r *recorder) { r.exists(gatedPod(5), at(1)); r.exists(gatedPod(6), at(2)) },
			want:   pod{gated: true},
		},
		"there before": {record: func(r *recorder) { r.exists(freePod(5), first) }, want: pod{initial: true}},
		"admitted": {
			record: func(r *recorder) { r.exists(freePod(5), at(1)); r.exists(freePod(6), at(2)) },
			want:   pod{letIn: &moment{version: "5", earliest: second(1), latest: second(1)}},
		},
		"admitted, found later": {
			record: func(r *recorder) { r.exists(freePod(9), listed("7", 1, 3)) },
			want:   pod{letIn: &moment{after: "7", version: "9", earliest: second(1), latest: second(3)}},
		},
		"released": {
			record: func(r *recorder) {
				r.exists(gatedPod(5), at(1))
				r.exists(freePod(8), at(2))
				r.exists(freePod(9), at(3))
			},
			want: pod{letIn: &moment{released: true, version: "8", earliest: second(2), latest: second(2)}},
		},
		"there before, waiting, then released": {
			record: func(r *recorder) { r.exists(gatedPod(5), first); r.exists(freePod(8), at(2)) },
			want:   pod{letIn: &moment{released: true, version: "8", earliest: second(2), latest: second(2)}},
		},
		"released, found later": {
			record: func(r *recorder) { r.exists(gatedPod(5), at(1)); r.exists(freePod(9), listed("7", 2, 4)) },
			want:   pod{letIn: &moment{released: true, after: "7", version: "9", earliest: second(2), latest: second(4)}},
		},
		"an older version comes late": {
			record: func(r *recorder) {
				r.exists(freePod(9), at(1))
				r.exists(terminating(freePod(8), 9, 1), at(2))
				r.exists(terminating(freePod(9), 9, 1), at(2))
			},
			want: pod{letIn: &moment{version: "9", earliest: second(1), latest: second(1)}},
		},
		"terminating": {
			record: func(r *recorder) {
				r.exists(gatedPod(5), first)
				r.exists(terminating(gatedPod(6), 40, 30), at(10.5))
				r.exists(terminating(gatedPod(7), 12, 0), at(12))
			},
			want: pod{gated: true, deleted: second(10)},
		},
		"terminating, and gone": {
			record: func(r *recorder) {
				r.exists(terminating(gatedPod(6), 40, 30), first)
				r.deleted(terminating(gatedPod(9), 40, 30), at(20))
				r.exists(gatedPod(9), at(30))
			},
			want: pod{gated: true, deleted: second(10), ended: second(20)},
		},
		"gone at once": {
			record: func(r *recorder) { r.exists(gatedPod(6), first); r.deleted(gatedPod(9), at(20)) },
			want:   pod{gated: true, deleted: second(20), ended: second(20)},
		},
		"gone, found later": {
			record: func(r *recorder) {
				r.exists(gatedPod(6), first)
				r.absent(kindPod, podKey.Namespace, map[types.UID]string{"other": "8"}, "9", listed("7", 15, 20))
			},
			want: pod{gated: true, deleted: second(15), ended: second(15)},
		},
		"listed": {
			record: func(r *recorder) {
				r.exists(gatedPod(6), first)
				r.absent(kindPod, "", map[types.UID]string{"pod-uid": "6"}, "9", listed("7", 15, 20))
			},
			want: pod{gated: true},
		},
		"not where it was listed": {
			record: func(r *recorder) {
				r.exists(gatedPod(6), first)
				r.absent(kindPod, "elsewhere", nil, "9", listed("7", 15, 20))
				r.absent(kindSchema, "", nil, "9", listed("7", 15, 20))
			},
			want: pod{gated: true},
		},
		"ended by itself": {
			record: func(r *recorder) {
				r.exists(gatedPod(6), first)
				r.exists(phase(gatedPod(7), corev1.PodFailed), at(3))
				r.exists(phase(gatedPod(8), corev1.PodFailed), at(4))
			},
			want: pod{gated: true, ended: second(3)},
		},
		"started": {
			record: func(r *recorder) {
				r.exists(running(phase(freePod(5), corev1.PodRunning), v1alpha1.DefaultContainer, 2), first)
				r.exists(running(running(freePod(6), v1alpha1.DefaultContainer, 2), "proxy", 3), at(3))
			},
			want: pod{initial: true, starts: []time.Time{second(2)}},
		},
		"started again": {
			record: func(r *recorder) {
				r.exists(running(freePod(5), v1alpha1.DefaultContainer, 2), first)
				r.exists(crashed(freePod(7), 9), at(10))
				r.deleted(running(freePod(9), v1alpha1.DefaultContainer, 11), at(12))
			},
			want: pod{initial: true, starts: []time.Time{second(2), second(9), second(11)}, deleted: second(12), ended: second(12)},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(second(0))
			tc.record(r)
			h := r.end(second(100))
			if len(h.pods) != 1 || len(h.flaws) > 0 {
				t.Fatalf("%d pods, %v", len(h.pods), h.flaws)
			}
			tc.want.name, tc.want.schema = podKey, schemaKey
			tc.want.shape = &corev1.Pod{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: v1alpha1.DefaultContainer, Image: oldImage}, {Name: "proxy", Image: "proxy:1"}},
			}}
			if diff := cmp.Diff(tc.want, *h.pods[0], cmp.AllowUnexported(pod{}, moment{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRecordTwoPods: StatefulSets use a name again, and pods of one template share
// what they say of their needs.
func TestRecordTwoPods(t *testing.T) {
	t.Parallel()
	r := newRecorder(second(0))
	r.exists(gatedPod(5), at(1))
	next := freePod(8)
	next.UID = "another"
	r.exists(next, at(2))
	third := freePod(9)
	third.UID = "third"
	third.Annotations[v1alpha1.AnnotationRequires] = "66"
	r.exists(third, at(3))
	h := r.end(second(100))
	if len(h.pods) != 3 || !h.pods[0].gated || h.pods[0].letIn != nil || h.pods[1].letIn == nil || h.pods[1].letIn.released {
		t.Errorf("pods are %+v", h.pods)
	}
	if h.pods[0].shape != h.pods[1].shape || h.pods[1].shape == h.pods[2].shape || h.pods[2].shape.Annotations[v1alpha1.AnnotationRequires] != "66" {
		t.Errorf("shapes are %v, %v, %v", h.pods[0].shape, h.pods[1].shape, h.pods[2].shape)
	}
}

func TestRecordSchema(t *testing.T) {
	t.Parallel()
	type state struct {
		version, after, uid string
		seen                float64
		gone                bool
	}
	schema := func(v version) *v1alpha1.DatabaseSchema { return v.schema }
	tests := map[string]struct {
		record func(*recorder)
		want   []state
	}{
		"what is not decided by": {
			record: func(r *recorder) {
				r.exists(schema(held(5, 0)), first)
				other := schema(held(6, 0))
				other.Annotations = map[string]string{v1alpha1.AnnotationRetry: "now"}
				other.Status.Gate.Reason, other.Status.WaitingPods = "Any", new(int32(7))
				r.exists(other, at(1))
			},
			want: []state{{version: "5", uid: "uid"}},
		},
		"what is": {
			record: func(r *recorder) {
				for i, edit := range []func(*v1alpha1.DatabaseSchema){
					func(*v1alpha1.DatabaseSchema) {},
					func(s *v1alpha1.DatabaseSchema) { s.Generation++ },
					func(s *v1alpha1.DatabaseSchema) { s.Status.ObservedGeneration = new(int64(4)) },
					func(s *v1alpha1.DatabaseSchema) { s.Status.Serves.From = 4 },
					func(s *v1alpha1.DatabaseSchema) { s.Status.Gate.State = v1alpha1.GateOpen },
					func(s *v1alpha1.DatabaseSchema) { s.Spec.Gate = v1alpha1.GateDisabled },
					func(s *v1alpha1.DatabaseSchema) { s.Status.TargetRevision.Version = 4 },
					func(s *v1alpha1.DatabaseSchema) { s.Status.Birth = v1alpha1.BirthAlembic },
					func(s *v1alpha1.DatabaseSchema) { s.DeletionTimestamp = &metav1.Time{Time: start} },
				} {
					r.exists(schema(edited(i+1, 0, edit)), at(float64(i)))
				}
			},
			want: []state{
				{version: "1", uid: "uid"},
				{version: "2", uid: "uid", seen: 1},
				{version: "3", uid: "uid", seen: 2},
				{version: "4", uid: "uid", seen: 3},
				{version: "5", uid: "uid", seen: 4},
				{version: "6", uid: "uid", seen: 5},
				{version: "7", uid: "uid", seen: 6},
				{version: "8", uid: "uid", seen: 7},
				{version: "9", uid: "uid", seen: 8},
			},
		},
		"changed, found later": {
			record: func(r *recorder) {
				r.exists(schema(held(5, 0)), first)
				r.exists(schema(open(9, 0, 1, 2)), listed("7", 1, 3))
			},
			want: []state{{version: "5", uid: "uid"}, {version: "9", after: "7", uid: "uid", seen: 3}},
		},
		"deleted and made again": {
			record: func(r *recorder) {
				r.exists(schema(held(5, 0)), first)
				r.deleted(schema(held(7, 0)), at(1))
				again := schema(held(8, 0))
				again.UID = "again"
				r.exists(again, at(2))
			},
			want: []state{{version: "5", uid: "uid"}, {version: "7", uid: "uid", seen: 1, gone: true}, {version: "8", uid: "again", seen: 2}},
		},
		"deleted, found later": {
			record: func(r *recorder) {
				r.exists(schema(held(5, 0)), first)
				r.absent(kindSchema, schemaKey.Namespace, nil, "9", listed("7", 1, 3))
				r.absent(kindSchema, schemaKey.Namespace, nil, "11", listed("9", 3, 4))
			},
			want: []state{{version: "5", uid: "uid"}, {version: "9", after: "7", uid: "uid", seen: 3, gone: true}},
		},
		"deleted and made again, found later": {
			record: func(r *recorder) {
				r.exists(schema(held(5, 0)), first)
				again := schema(held(8, 0))
				again.UID = "again"
				r.exists(again, listed("7", 1, 3))
				r.absent(kindSchema, schemaKey.Namespace, map[types.UID]string{"again": "8"}, "9", listed("7", 1, 3))
			},
			want: []state{{version: "5", uid: "uid"}, {version: "8", after: "7", uid: "again", seen: 3}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(second(0))
			tc.record(r)
			var got []state
			for _, v := range r.end(second(100)).schemas[schemaKey] {
				got = append(got, state{
					version: v.schema.ResourceVersion, after: v.after, uid: string(v.schema.UID), seen: v.seen.Sub(start).Seconds(), gone: v.gone,
				})
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(state{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRecordWhatCannotBeCompared: it is left out, and said.
func TestRecordWhatCannotBeCompared(t *testing.T) {
	t.Parallel()
	r := newRecorder(second(0))
	p := freePod(1)
	p.ResourceVersion = "abc"
	r.exists(p, at(1))
	r.exists(p, at(2))
	if h := r.end(second(3)); len(h.pods) != 0 || len(h.flaws) != 1 {
		t.Errorf("%d pods, flaws %v", len(h.pods), h.flaws)
	}
}

func TestReached(t *testing.T) {
	t.Parallel()
	type list = map[types.UID]string
	tests := map[string]struct {
		record  func(*recorder)
		listed  list
		version string
		want    bool
	}{
		"all of it":      {record: func(r *recorder) { r.exists(gatedPod(5), at(1)) }, listed: list{"pod-uid": "5"}, version: "9", want: true},
		"and more":       {record: func(r *recorder) { r.exists(gatedPod(6), at(1)) }, listed: list{"pod-uid": "5"}, version: "5", want: true},
		"not so far yet": {record: func(r *recorder) { r.exists(gatedPod(5), at(1)) }, listed: list{"pod-uid": "6"}, version: "9"},
		"not seen yet":   {record: func(*recorder) {}, listed: list{"pod-uid": "6"}, version: "9"},
		"gone since": {
			record: func(r *recorder) { r.exists(gatedPod(5), at(1)); r.deleted(gatedPod(10), at(2)) },
			listed: list{"pod-uid": "6"}, version: "9", want: true,
		},
		"gone since, found later": {
			record: func(r *recorder) {
				r.exists(gatedPod(5), at(1))
				r.absent(kindPod, "", nil, "10", listed("9", 1, 2))
			},
			listed: list{"pod-uid": "6"}, version: "9", want: true,
		},
		"gone before": {record: func(r *recorder) { r.exists(gatedPod(5), at(1)) }, listed: list{}, version: "9"},
		"came since":  {record: func(r *recorder) { r.exists(gatedPod(10), at(1)) }, listed: list{}, version: "9", want: true},
		"of another kind": {
			record: func(r *recorder) { r.exists(held(5, 1).schema, at(1)) }, listed: list{}, version: "9", want: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(second(0))
			tc.record(r)
			if got := r.reached(kindPod, "", tc.listed, tc.version); got != tc.want {
				t.Errorf("reached() = %t, want %t", got, tc.want)
			}
		})
	}
}
