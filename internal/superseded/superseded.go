// Package superseded tells the pods that whoever made them is about to replace.
package superseded

import (
	"context"
	"fmt"
	"slices"
	"strconv"

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

// Owners are those of pods that are about to be replaced: UIDs of ReplicaSets, and
// for StatefulSets the UID with the revision.
type Owners map[string]bool

// Has reports whether a pod is about to be replaced.
func (o Owners) Has(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return false
	}
	return o[string(owner.UID)] || o[string(owner.UID)+"/"+pod.Labels[appsv1.StatefulSetRevisionLabel]]
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
			out[string(sets[i].UID)] = true
		}
	}
	return out, out.addOrdinals(ctx, reader, pods)
}

func (o Owners) addOrdinals(ctx context.Context, reader client.Reader, pods []corev1.Pod) error {
	type set struct {
		key       types.NamespacedName
		revisions map[string]bool
	}
	sets := map[types.UID]set{}
	for i := range pods {
		pod := &pods[i]
		owner, revision := metav1.GetControllerOf(pod), pod.Labels[appsv1.StatefulSetRevisionLabel]
		if owner == nil || owner.Kind != "StatefulSet" || revision == "" {
			continue
		}
		if _, ok := sets[owner.UID]; !ok {
			sets[owner.UID] = set{types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}, map[string]bool{}}
		}
		sets[owner.UID].revisions[revision] = true
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
		if live.UID != uid || live.Status.UpdateRevision == "" || live.Status.ObservedGeneration != live.Generation {
			continue
		}
		for revision := range s.revisions {
			o[string(uid)+"/"+revision] = revision != live.Status.UpdateRevision
		}
	}
	return nil
}
