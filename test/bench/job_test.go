package bench_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// stages are when a step was seen, in milliseconds since the first request.
type stages struct{ created, started, ended, done float64 }

// BenchmarkReady compares a DatabaseSchema, from its creation with an empty
// database until it is Ready, with a bare Job of the same image that does
// nothing, until it is Complete.
func BenchmarkReady(b *testing.B) {
	c := newCluster(b)
	namespace := c.newNamespace(b)
	server := postgres.Start(b, postgres.ListenOn(c.hostAddress),
		postgres.Setting("fsync", "on"), postgres.Setting("synchronous_commit", "on"))
	// The first pod of a namespace waits for what later ones find.
	c.timeJob(b, namespace, "warm-up")
	for b.Loop() {
		var ours, beside []stages
		for i := range *pairCount {
			created := c.newSchema(b, server, namespace, fmt.Sprintf("schema-%d", i))
			created.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetAppVersion, AppVersion: release}
			ours = append(ours, c.timeSchema(b, created))
			beside = append(beside, c.timeJob(b, namespace, fmt.Sprintf("job-%d", i)))
		}
		done := func(s stages) float64 { return s.done }
		compare(b, "complete", "schema until Ready / bare Job until Complete", "ms", pick(ours, done), pick(beside, done))
		// A Job is Complete a while after its container has ended, which the
		// operator does not wait for.
		ended := func(s stages) float64 { return s.ended }
		compare(b, "ended", "schema until Ready / bare Job until its container ends", "ms", pick(ours, done), pick(beside, ended))
		for _, side := range []struct {
			what string
			all  []stages
		}{{"schema", ours}, {"bare Job", beside}} {
			note("%s: Job seen after %.0f ms, started %.0f ms, its container ended %.0f ms, done %.0f ms (medians)", side.what,
				pick(side.all, func(s stages) float64 { return s.created }).median(), pick(side.all, func(s stages) float64 { return s.started }).median(),
				pick(side.all, ended).median(), pick(side.all, done).median())
		}
	}
	b.ReportMetric(0, "ns/op") // the ratio is what counts
}

func pick(all []stages, part func(stages) float64) sample {
	out := make(sample, len(all))
	for i, s := range all {
		out[i] = part(s)
	}
	return out
}

// timeSchema creates a DatabaseSchema, waits until it is Ready, and deletes it.
func (c *cluster) timeSchema(b *testing.B, created *v1alpha1.DatabaseSchema) stages {
	b.Helper()
	return c.timed(b, created, func(o client.Object) bool {
		seen, ok := o.(*v1alpha1.DatabaseSchema)
		return ok && seen.UID == created.UID && apimeta.IsStatusConditionTrue(seen.Status.Conditions, v1alpha1.ConditionReady) &&
			seen.Status.AppliedRevision.Version == neededRevision
	})
}

// timeJob creates a Job that prints the program's version, waits until it is
// Complete, and deletes it.
func (c *cluster) timeJob(b *testing.B, namespace, name string) stages {
	b.Helper()
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: new(false),
				Containers: []corev1.Container{{
					Name: "version", Image: "schemagate:dev", ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"version"},
				}},
			}},
		},
	}
	return c.timed(b, job, func(o client.Object) bool {
		seen, ok := o.(*batchv1.Job)
		return ok && seen.UID == job.UID && slices.ContainsFunc(seen.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
		})
	})
}

// timed creates an object and notes what becomes of it. In the end nothing of it
// is left.
func (c *cluster) timed(b *testing.B, object client.Object, done func(client.Object) bool) (seen stages) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	sightings := c.watch(ctx, b, object.GetNamespace(), &v1alpha1.DatabaseSchemaList{}, &batchv1.JobList{}, &corev1.PodList{})
	began := time.Now()
	c.create(b, object)
	mark := func(stage *float64, at time.Time) {
		if *stage == 0 {
			*stage = milliseconds(at.Sub(began))
		}
	}
	follow(b, object.GetName(), sightings, func(s sighting) bool {
		if job, ok := s.object.(*batchv1.Job); ok {
			mark(&seen.created, s.at)
			if !ptr.Deref(job.Spec.Suspend, false) {
				mark(&seen.started, s.at)
			}
		}
		if pod, ok := s.object.(*corev1.Pod); ok && hasEnded(pod) {
			mark(&seen.ended, s.at)
		}
		if done(s.object) {
			mark(&seen.done, s.at)
			return true
		}
		return false
	}, func() string { return fmt.Sprintf("so far %+v", seen) })
	if err := c.admin.Delete(b.Context(), object, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		b.Fatal(err)
	}
	// The next one must not see what is left of this one.
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind("DatabaseSchemaList"), batchv1.SchemeGroupVersion.WithKind("JobList"), corev1.SchemeGroupVersion.WithKind("PodList"),
	} {
		c.awaitNone(b, object.GetNamespace(), kind)
	}
	return seen
}

func hasEnded(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Terminated != nil })
}
