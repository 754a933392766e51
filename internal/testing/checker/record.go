package checker

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/requirement"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// recorder writes the history, from several streams at once.
type recorder struct {
	mu      sync.Mutex
	history history
	objects map[types.UID]*object
	shapes  map[string]*corev1.Pod
}

// object is one that was seen.
type object struct {
	kind    kind
	name    types.NamespacedName
	version string
	gone    bool
	pod     *pod // nil of a DatabaseSchema
}

// sighting is how and when something was seen.
type sighting struct {
	// initial says that it was there when the checker began.
	initial bool

	// after is set where versions were missed: the last resourceVersion at which
	// everything was known.
	after string

	// earliest and latest bound when it came about.
	earliest, latest time.Time
}

func newRecorder(begin time.Time) *recorder {
	return &recorder{
		history: history{begin: begin, schemas: map[types.NamespacedName][]version{}, commits: map[types.NamespacedName][]commit{}},
		objects: map[types.UID]*object{},
		shapes:  map[string]*corev1.Pod{},
	}
}

// end closes the history and returns it.
func (r *recorder) end(at time.Time) *history {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.end = at
	closed := r.history
	// Whoever tells of another commit now is too late, and does no harm.
	closed.commits = maps.Clone(closed.commits)
	return &closed
}

func (r *recorder) commit(schema types.NamespacedName, c commit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.commits[schema] = append(r.history.commits[schema], c)
}

// flaw notes, once, that the history lacks something.
func (r *recorder) flaw(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(text)
}

func (r *recorder) note(text string) {
	if !slices.Contains(r.history.flaws, text) {
		r.history.flaws = append(r.history.flaws, text)
	}
}

// exists records an object as it was seen.
func (r *recorder) exists(seen client.Object, s sighting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, isNew := r.find(seen); o != nil && !o.gone {
		r.observe(o, seen, isNew, s)
	}
}

// deleted records that an object is gone, and what it was at last.
func (r *recorder) deleted(seen client.Object, s sighting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, isNew := r.find(seen)
	if o == nil || o.gone {
		return
	}
	if o.kind == kindPod {
		r.observe(o, seen, isNew, s) // what became of its containers
	}
	r.vanish(seen.GetUID(), o, seen.GetResourceVersion(), s)
}

// absent records that the objects of a stream that were not listed are gone. The
// list was made at a resourceVersion.
func (r *recorder) absent(k kind, namespace string, listed map[types.UID]string, version string, s sighting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, o := range r.objects {
		if _, ok := listed[uid]; !ok && o.in(k, namespace) && !o.gone {
			r.vanish(uid, o, version, s)
		}
	}
}

// reached reports whether all has been seen that was listed at a
// resourceVersion, and that nothing else was there.
func (r *recorder) reached(k kind, namespace string, listed map[types.UID]string, version string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, at := range listed {
		if o := r.objects[uid]; o == nil || !o.gone && older(o.version, at) {
			return false
		}
	}
	for uid, o := range r.objects {
		if _, ok := listed[uid]; !ok && o.in(k, namespace) && !o.gone && !older(version, o.version) {
			return false
		}
	}
	return true
}

func (o *object) in(k kind, namespace string) bool {
	return o.kind == k && (namespace == "" || o.name.Namespace == namespace)
}

// find returns what is recorded of an object, and whether that is nothing so
// far; nil when this version of it is known already, or cannot be understood.
func (r *recorder) find(seen client.Object) (found *object, isNew bool) {
	version := seen.GetResourceVersion()
	name := client.ObjectKeyFromObject(seen)
	if _, err := resourceversion.CompareResourceVersion(version, version); err != nil {
		r.note(fmt.Sprintf("%s has the resourceVersion %q, which cannot be compared.", name, version))
		return nil, false
	}
	found, known := r.objects[seen.GetUID()]
	if known && !older(found.version, version) {
		return nil, false
	}
	if !known {
		found = &object{name: name, kind: kindSchema}
		if _, ok := seen.(*corev1.Pod); ok {
			found.kind = kindPod
		}
		r.objects[seen.GetUID()] = found
	}
	found.version = version
	return found, !known
}

func (r *recorder) observe(o *object, seen client.Object, isNew bool, s sighting) {
	if schema, ok := seen.(*v1alpha1.DatabaseSchema); ok {
		r.observeSchema(o, schema, s)
	}
	if pod, ok := seen.(*corev1.Pod); ok {
		if isNew {
			o.pod = r.newPod(pod, s)
			r.history.pods = append(r.history.pods, o.pod)
		}
		o.pod.observe(pod, s)
	}
}

// observeSchema adds a version if anything has changed by which is decided.
func (r *recorder) observeSchema(o *object, seen *v1alpha1.DatabaseSchema, s sighting) {
	schema := trim(seen)
	versions := r.history.schemas[o.name]
	if len(versions) > 0 {
		last := versions[len(versions)-1]
		same := *schema
		same.ResourceVersion = last.schema.ResourceVersion
		if reflect.DeepEqual(&same, last.schema) {
			return
		}
	}
	r.history.schemas[o.name] = append(versions, version{schema: schema, after: s.after, seen: s.latest})
}

// trim keeps of a schema what is decided by.
func trim(schema *v1alpha1.DatabaseSchema) *v1alpha1.DatabaseSchema {
	trimmed := &v1alpha1.DatabaseSchema{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: schema.Namespace, Name: schema.Name, UID: schema.UID, ResourceVersion: schema.ResourceVersion,
			Generation: schema.Generation, DeletionTimestamp: schema.DeletionTimestamp,
		},
		Spec: v1alpha1.DatabaseSchemaSpec{
			Gate: schema.Spec.Gate, Target: schema.Spec.Target, Migrations: schema.Spec.Migrations,
			Rollout: v1alpha1.Rollout{Strategy: schema.Spec.Rollout.Strategy},
		},
		Status: v1alpha1.DatabaseSchemaStatus{
			ObservedGeneration: schema.Status.ObservedGeneration, Birth: schema.Status.Birth,
			Serves: schema.Status.Serves, Gate: v1alpha1.GateStatus{State: schema.Status.Gate.State},
		},
	}
	if approved, ok := schema.Annotations[v1alpha1.AnnotationApprove]; ok {
		trimmed.Annotations = map[string]string{v1alpha1.AnnotationApprove: approved}
	}
	trimmed.Status.TargetRevision.Version = schema.Status.TargetRevision.Version
	return trimmed
}

func (r *recorder) vanish(uid types.UID, o *object, at string, s sighting) {
	o.gone = true
	if o.pod != nil {
		o.pod.end(s.earliest)
		if o.pod.deleted.IsZero() {
			o.pod.deleted = s.earliest
		}
		return
	}
	versions := r.history.schemas[o.name]
	if len(versions) == 0 || versions[len(versions)-1].schema.UID != uid {
		return // another one has taken its name since
	}
	ended := &v1alpha1.DatabaseSchema{ObjectMeta: metav1.ObjectMeta{
		Namespace: o.name.Namespace, Name: o.name.Name, UID: uid, ResourceVersion: at,
	}}
	r.history.schemas[o.name] = append(versions, version{schema: ended, gone: true, after: s.after, seen: s.latest})
}

// newPod begins the record of a pod that was not seen before.
func (r *recorder) newPod(seen *corev1.Pod, s sighting) *pod {
	p := &pod{
		name:   client.ObjectKeyFromObject(seen),
		schema: types.NamespacedName{Namespace: seen.Namespace, Name: seen.Labels[v1alpha1.LabelSchema]},
		shape:  r.shape(seen),
		gated:  schedgate.Has(seen),
	}
	switch {
	case p.gated:
	case s.initial:
		p.initial = true
	default:
		p.letIn = newMoment(false, seen, s)
	}
	return p
}

func newMoment(released bool, seen *corev1.Pod, s sighting) *moment {
	return &moment{released: released, after: s.after, version: seen.ResourceVersion, earliest: s.earliest, latest: s.latest}
}

// shape returns what a pod says of its needs, one for all that say the same.
func (r *recorder) shape(seen *corev1.Pod) *corev1.Pod {
	shape := &corev1.Pod{}
	var key strings.Builder
	for _, name := range []string{v1alpha1.AnnotationRequires, v1alpha1.AnnotationContainer} {
		if value, ok := seen.Annotations[name]; ok {
			metav1.SetMetaDataAnnotation(&shape.ObjectMeta, name, value)
			fmt.Fprintf(&key, "%s %q\n", name, value)
		}
	}
	for _, container := range seen.Spec.Containers {
		shape.Spec.Containers = append(shape.Spec.Containers, corev1.Container{Name: container.Name, Image: container.Image})
		fmt.Fprintf(&key, "%q %q\n", container.Name, container.Image)
	}
	if known, ok := r.shapes[key.String()]; ok {
		return known
	}
	r.shapes[key.String()] = shape
	return shape
}

// observe records what has become of the pod.
func (p *pod) observe(seen *corev1.Pod, s sighting) {
	if p.gated && !schedgate.Has(seen) {
		p.gated = false
		p.letIn = newMoment(true, seen, s)
	}
	if !seen.DeletionTimestamp.IsZero() && p.deleted.IsZero() {
		// The timestamp is when the deletion has to be complete.
		grace := time.Duration(ptr.Deref(seen.DeletionGracePeriodSeconds, 0)) * time.Second
		p.deleted = seen.DeletionTimestamp.Add(-grace)
	}
	if seen.Status.Phase == corev1.PodSucceeded || seen.Status.Phase == corev1.PodFailed {
		// Kubernetes starts nothing in it any more.
		p.end(s.earliest)
	}
	container, err := requirement.Container(p.shape)
	for _, status := range seen.Status.ContainerStatuses {
		if err != nil || status.Name == container.Name {
			p.started(status.State)
			p.started(status.LastTerminationState)
		}
	}
}

// started notes a start of the application container, once.
func (p *pod) started(state corev1.ContainerState) {
	var at metav1.Time
	switch {
	case state.Running != nil:
		at = state.Running.StartedAt
	case state.Terminated != nil:
		at = state.Terminated.StartedAt
	}
	if !at.IsZero() && !slices.ContainsFunc(p.starts, at.Time.Equal) {
		p.starts = append(p.starts, at.Time)
	}
}

func (p *pod) end(at time.Time) {
	if p.ended.IsZero() {
		p.ended = at
	}
}
