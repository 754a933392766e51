// Package schedgate looks at and removes schemagate's pod scheduling gate. It
// never touches other gates.
package schedgate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// Has reports whether the pod carries schemagate's gate.
func Has(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.SchedulingGates, isOurs)
}

// Remove takes schemagate's gate off the pod and reports whether it was there.
// Other gates stay, in their order. The pod's own slice is replaced, not
// changed in place, so pods that share it with a cache are safe.
func Remove(pod *corev1.Pod) (changed bool) {
	if !Has(pod) {
		return false
	}
	pod.Spec.SchedulingGates = slices.DeleteFunc(slices.Clone(pod.Spec.SchedulingGates), isOurs)
	return true
}

// Index returns the position of schemagate's gate among the pod's gates, and
// -1 when it carries none. A JSON patch that removes the gate tests and
// removes by this position.
func Index(pod *corev1.Pod) int {
	return slices.IndexFunc(pod.Spec.SchedulingGates, isOurs)
}

func isOurs(gate corev1.PodSchedulingGate) bool { return gate.Name == v1alpha1.GateName }
