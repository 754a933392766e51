package controllers

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// TrimPod drops from a labeled pod what nobody here decides by, before it is
// cached: there can be a hundred thousand of them.
func TrimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	trimmed := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
			DeletionGracePeriodSeconds: pod.DeletionGracePeriodSeconds,
			Labels:                     keep(pod.Labels, isKeptLabel),
			Annotations:                keep(pod.Annotations, isOurs),
		},
		Status: corev1.PodStatus{Phase: pod.Status.Phase},
	}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		trimmed.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	trimmed.Spec.TerminationGracePeriodSeconds = pod.Spec.TerminationGracePeriodSeconds
	trimmed.Spec.NodeName, trimmed.Spec.SchedulingGates = pod.Spec.NodeName, pod.Spec.SchedulingGates
	for _, container := range pod.Spec.Containers {
		trimmed.Spec.Containers = append(trimmed.Spec.Containers, corev1.Container{Name: container.Name, Image: container.Image})
	}
	return trimmed, nil
}

func keep(in map[string]string, wanted func(string) bool) map[string]string {
	var out map[string]string
	for key, value := range in {
		if wanted(key) {
			if out == nil {
				out = map[string]string{}
			}
			out[key] = value
		}
	}
	return out
}

func isOurs(key string) bool { return strings.HasPrefix(key, v1alpha1.GroupName+"/") }

func isKeptLabel(key string) bool { return isOurs(key) || key == "controller-revision-hash" }

// facts are what decisions about a pod follow from.
type facts struct {
	gated, terminating, ended         bool
	schema, requires, container, hold string
	images                            string
}

func podFacts(pod *corev1.Pod) facts {
	var images strings.Builder
	for _, container := range pod.Spec.Containers {
		images.WriteString(container.Name + "=" + container.Image + "\n")
	}
	return facts{
		gated: schedgate.Has(pod), terminating: !pod.DeletionTimestamp.IsZero(),
		ended:  pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed,
		schema: pod.Labels[v1alpha1.LabelSchema], requires: pod.Annotations[v1alpha1.AnnotationRequires],
		container: pod.Annotations[v1alpha1.AnnotationContainer], hold: pod.Annotations[v1alpha1.AnnotationHold],
		images: images.String(),
	}
}

func observed(schema *v1alpha1.DatabaseSchema) int64 {
	return ptr.Deref(schema.Status.ObservedGeneration, -1)
}

func withPredicate(p predicate.Predicate) builder.Predicates { return builder.WithPredicates(p) }
