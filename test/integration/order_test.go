package integration_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// versions is what became of objects, version by version. One etcd counts the
// versions of all objects together, so those of different kinds can be compared.
type versions struct {
	mu      sync.Mutex
	objects []client.Object
}

// follow notes every version of the namespace's schemas, Jobs and pods from now
// on.
func follow(t *testing.T, namespace string) *versions {
	t.Helper()
	c, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	v := &versions{}
	for _, list := range []client.ObjectList{&v1alpha1.DatabaseSchemaList{}, &batchv1.JobList{}, &corev1.PodList{}} {
		w, err := c.Watch(t.Context(), list, client.InNamespace(namespace))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for event := range w.ResultChan() {
				if object, ok := event.Object.(client.Object); ok {
					v.mu.Lock()
					v.objects = append(v.objects, object)
					v.mu.Unlock()
				}
			}
		}()
		t.Cleanup(func() { w.Stop(); <-ended })
	}
	return v
}

// step is a moment: the first version of an object that meets a condition.
type step struct{ what, version string }

// first waits for a version of an object of a type: a watch lags behind.
func first[T client.Object](t *testing.T, v *versions, what string, meets func(T) bool) step {
	t.Helper()
	found := ""
	apiserver.Eventually(t, func(context.Context) (bool, string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, object := range v.objects {
			if typed, ok := object.(T); ok && meets(typed) {
				found = object.GetResourceVersion()
				return true, ""
			}
		}
		return false, "never: " + what
	})
	return step{what, found}
}

// inOrder fails the test unless each step was written after the one before.
func inOrder(t *testing.T, steps ...step) {
	t.Helper()
	for i := 1; i < len(steps); i++ {
		order, err := resourceversion.CompareResourceVersion(steps[i-1].version, steps[i].version)
		if err != nil {
			t.Fatal(err)
		}
		if order >= 0 {
			t.Errorf("%q (version %s) did not come before %q (version %s)", steps[i-1].what, steps[i-1].version, steps[i].what, steps[i].version)
		}
	}
}

func awaitOpen(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	apiserver.Eventually(t, func(ctx context.Context) (bool, string) {
		err := server.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err == nil && !schedgate.Has(pod), fmt.Sprintf("pod %s has the gate (%v)", pod.Name, err)
	})
}

// TestOrderOfAFirstInstallation compares the order of what was written, by
// whoever: decided, recorded, acted on; found out, recorded, opened.
func TestOrderOfAFirstInstallation(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	seen := follow(t, namespace)
	schema, pod := apiserver.NewSchema(namespace, schemaName), labeledPod(namespace, appImage)
	create(t, schema)
	create(t, pod)
	job := startedJob(t, schema, "1")
	own := runPod(t, job)
	endPod(t, own, born)
	awaitOpen(t, pod)
	endJob(t, job, own)
	inOrder(
		t,
		first(t, seen, "the decision is recorded", func(s *v1alpha1.DatabaseSchema) bool {
			return s.Status.Attempt.Job == job.Name && s.Status.Attempt.State == v1alpha1.AttemptPending
		}),
		first(t, seen, "the Job is there, suspended", func(j *batchv1.Job) bool { return j.Name == job.Name && *j.Spec.Suspend }),
		first(t, seen, "it is started", func(j *batchv1.Job) bool { return j.Name == job.Name && !*j.Spec.Suspend }),
		first(t, seen, "its container has ended", func(p *corev1.Pod) bool { return p.Name == own.Name && len(p.Status.ContainerStatuses) > 0 }),
		first(t, seen, "the result is recorded", func(s *v1alpha1.DatabaseSchema) bool {
			return s.Status.AppliedRevision.Version == 73 && len(s.Status.History) == 1 && s.Status.Serves.To == 73
		}),
		first(t, seen, "the gate is open", func(p *corev1.Pod) bool { return p.Name == pod.Name && !schedgate.Has(p) }),
		first(t, seen, "the Job has ended", func(j *batchv1.Job) bool { return j.Name == job.Name && len(j.Status.Conditions) > 0 }),
	)
}

// TestOrderOfAFencingMigration: it waits until no pod runs, and no pod starts
// until its Job has told how far it came.
func TestOrderOfAFencingMigration(t *testing.T) {
	t.Parallel()
	namespace := startOperator(t)
	schema, old := apiserver.NewSchema(namespace, schemaName), labeledPod(namespace, appImage)
	create(t, schema)
	create(t, old)
	migrate(t, schema, "1", born)
	awaitOpen(t, old)
	next := labeledPod(namespace, "ghcr.io/open-webui/open-webui:v0.11.1")
	create(t, next)
	if pending := await(t, schema, isReason(v1alpha1.ReasonCheckingImage)); pending.Serves.To != 73 {
		t.Errorf("while the image is checked the schema serves %+v", pending.Serves)
	}

	seen := follow(t, namespace)
	pullImage(t, schema)
	job := startedJob(t, schema, "2")
	if err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(old), &corev1.Pod{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Job is started while a pod of the old release runs (%v)", err)
	}
	if args := job.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--expect=73") {
		t.Errorf("the Job's arguments are %q", args)
	}
	late := labeledPod(namespace, appImage)
	create(t, late)
	if !schedgate.Has(late) {
		t.Error("a pod of the old release passes while a fencing migration runs")
	}
	endPod(t, runPod(t, job), result.Result{Outcome: result.Done, From: 73, To: 76, Target: 76, Birth: "alembic", Applied: 3})
	awaitOpen(t, next)
	inOrder(
		t,
		first(t, seen, "the hold is recorded", func(s *v1alpha1.DatabaseSchema) bool {
			return s.Status.Gate.State == v1alpha1.GateHeld && s.Status.Serves == v1alpha1.Serves{}
		}),
		first(t, seen, "the Job is there, suspended", func(j *batchv1.Job) bool { return j.Name == job.Name && *j.Spec.Suspend }),
		first(t, seen, "the pod that waits is stamped", func(p *corev1.Pod) bool {
			return p.Name == next.Name && p.Annotations[v1alpha1.AnnotationHold] == job.Name
		}),
		first(t, seen, "the Job is started", func(j *batchv1.Job) bool { return j.Name == job.Name && !*j.Spec.Suspend }),
		first(t, seen, "the gate is open", func(p *corev1.Pod) bool { return p.Name == next.Name && !schedgate.Has(p) }),
	)
	if err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(late), late); err != nil || !schedgate.Has(late) {
		t.Errorf("the pod of the old release: %v, gates %v; want it to wait", err, gateNames(late))
	}
}

// TestChangeTellsPodsNothing: a pod that waits is told why. That its schema has
// changed, and waits for a moment to be looked at, is no news for it.
func TestChangeTellsPodsNothing(t *testing.T) {
	t.Parallel()
	namespace, c := counted(t)
	schemas, _ := ready(t, namespace, 0, 1)
	c.settled(t)
	c.take()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"execution": {"lockTimeoutSeconds": 9}}}`))
	if err := server.Client.Patch(t.Context(), schemas[0], patch); err != nil {
		t.Fatal(err)
	}
	await(t, schemas[0], func(s v1alpha1.DatabaseSchemaStatus) bool { return *s.ObservedGeneration == schemas[0].Generation })
	c.settled(t)
	if asked := c.take(); len(asked) != 1 {
		t.Errorf("a change of the spec that matters to nobody took %q, want one write of the status", asked)
	}
}
