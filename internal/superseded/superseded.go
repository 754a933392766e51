// Package superseded tells the pods that whoever made them is about to replace.
package superseded

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// revisionAnnotations are those by which the owners of ReplicaSets number them:
// the highest is the one that is wanted, also after a rollback, which gives an
// old ReplicaSet a new number.
var revisionAnnotations = []string{"deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"}

// IsRevision reports whether an annotation of a ReplicaSet is its number.
func IsRevision(key string) bool { return slices.Contains(revisionAnnotations, key) }

// Revision is the number of a ReplicaSet, by a Deployment or an Argo Rollout; 0
// without one.
func Revision(set *metav1.PartialObjectMetadata) int {
	for _, key := range revisionAnnotations {
		if revision, err := strconv.Atoi(set.Annotations[key]); err == nil {
			return revision
		}
	}
	return 0
}

// Owners are those of pods that are about to be replaced: UIDs of ReplicaSets. Of
// StatefulSets they have the UIDs of the pods themselves.
type Owners map[types.UID]bool

// Has reports whether a pod is about to be replaced.
func (o Owners) Has(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && (o[owner.UID] || o[pod.UID])
}

// Replaces reports whether a StatefulSet wants another pod in the place of one of its
// own: not below the partition of a rolling update, where it makes pods of the
// revision before for as long as it has that partition.
func Replaces(set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	revision := pod.Labels[appsv1.StatefulSetRevisionLabel]
	if revision == "" || set.Status.UpdateRevision == "" || set.Status.UpdateRevision == revision ||
		set.Status.ObservedGeneration != set.Generation {
		return false
	}
	first := 0
	if rolling := set.Spec.UpdateStrategy.RollingUpdate; rolling != nil && rolling.Partition != nil {
		first = int(*rolling.Partition)
	}
	if set.Spec.Ordinals != nil {
		first += int(set.Spec.Ordinals.Start)
	}
	at, err := strconv.Atoi(pod.Name[strings.LastIndex(pod.Name, "-")+1:])
	return err == nil && at >= first
}

// Find returns the owners of those pods that are about to be replaced. It asks
// for StatefulSets with pods of two revisions, which is while they are rolled out;
// with an error it returns what is known without.
func Find(ctx context.Context, reader client.Reader, sets []metav1.PartialObjectMetadata, pods []corev1.Pod) (Owners, error) {
	newest := map[types.UID]int{}
	for i := range sets {
		if owner := metav1.GetControllerOf(&sets[i]); owner != nil {
			newest[owner.UID] = max(newest[owner.UID], Revision(&sets[i]))
		}
	}
	out := Owners{}
	for i := range sets {
		if owner := metav1.GetControllerOf(&sets[i]); owner != nil && Revision(&sets[i]) < newest[owner.UID] {
			out[sets[i].UID] = true
		}
	}
	return out, out.addOrdinals(ctx, reader, pods)
}

func (o Owners) addOrdinals(ctx context.Context, reader client.Reader, pods []corev1.Pod) error {
	type set struct {
		key       types.NamespacedName
		revisions map[string]bool
		pods      []*corev1.Pod
	}
	sets := map[types.UID]*set{}
	for i := range pods {
		pod := &pods[i]
		owner, revision := metav1.GetControllerOf(pod), pod.Labels[appsv1.StatefulSetRevisionLabel]
		if owner == nil || owner.Kind != "StatefulSet" || revision == "" {
			continue
		}
		if sets[owner.UID] == nil {
			sets[owner.UID] = &set{key: types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}, revisions: map[string]bool{}}
		}
		s := sets[owner.UID]
		s.revisions[revision], s.pods = true, append(s.pods, pod)
	}
	for uid, s := range sets {
		if len(s.revisions) < 2 {
			continue
		}
		live := &appsv1.StatefulSet{}
		if err := reader.Get(ctx, s.key, live); err != nil {
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("reading StatefulSet %s: %w", s.key.Name, err)
			}
			continue
		}
		for _, pod := range s.pods {
			if live.UID == uid && Replaces(live, pod) {
				o[pod.UID] = true
			}
		}
	}
	return nil
}
