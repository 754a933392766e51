package schedgate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
)

func TestRemove(t *testing.T) {
	t.Parallel()
	const ours = v1alpha1.GateName
	tests := map[string]struct {
		gates, want []string
		index       int
		changed     bool
	}{
		"no gates":        {index: -1},
		"ours only":       {gates: []string{ours}, index: 0, changed: true},
		"others only":     {gates: []string{"example.com/quota"}, want: []string{"example.com/quota"}, index: -1},
		"ours in between": {gates: []string{"a", ours, "b"}, want: []string{"a", "b"}, index: 1, changed: true},
		"prefix is not ours": {
			gates: []string{ours + "-two"}, want: []string{ours + "-two"}, index: -1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := podWith(tc.gates)
			if got := schedgate.Index(pod); got != tc.index {
				t.Errorf("Index() = %d, want %d", got, tc.index)
			}
			if got := schedgate.Has(pod); got != tc.changed {
				t.Errorf("Has() = %v, want %v", got, tc.changed)
			}
			before := podWith(tc.gates)
			shared := pod.Spec.SchedulingGates
			if got := schedgate.Remove(pod); got != tc.changed {
				t.Errorf("Remove() = %v, want %v", got, tc.changed)
			}
			if diff := cmp.Diff(podWith(tc.want).Spec.SchedulingGates, pod.Spec.SchedulingGates, emptyIsNil); diff != "" {
				t.Errorf("gates after Remove (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before.Spec.SchedulingGates, shared); diff != "" {
				t.Errorf("Remove changed a slice that a cache may share (-want +got):\n%s", diff)
			}
			if schedgate.Remove(pod) {
				t.Error("Remove() = true the second time")
			}
		})
	}
}

var emptyIsNil = cmp.Transformer("emptyIsNil", func(gates []corev1.PodSchedulingGate) []string {
	var names []string
	for _, g := range gates {
		names = append(names, g.Name)
	}
	return names
})

func podWith(gates []string) *corev1.Pod {
	pod := &corev1.Pod{}
	for _, g := range gates {
		pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: g})
	}
	return pod
}

// FuzzRemove: whatever the gates are, Remove leaves the others as they were.
func FuzzRemove(f *testing.F) {
	f.Add("a,"+v1alpha1.GateName+",b", "x")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, list, extra string) {
		gates := append(strings.Split(list, ","), extra)
		pod := podWith(gates)
		want := slices.DeleteFunc(slices.Clone(gates), func(g string) bool { return g == v1alpha1.GateName })
		changed := schedgate.Remove(pod)
		if changed != (len(want) != len(gates)) {
			t.Errorf("Remove() = %v for %q", changed, gates)
		}
		if diff := cmp.Diff(podWith(want).Spec.SchedulingGates, pod.Spec.SchedulingGates, emptyIsNil); diff != "" {
			t.Errorf("gates after Remove (-want +got):\n%s", diff)
		}
		if schedgate.Has(pod) || schedgate.Index(pod) != -1 {
			t.Errorf("the gate is still there: %q", gates)
		}
	})
}
