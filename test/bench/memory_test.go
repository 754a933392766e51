package bench_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/controllers"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// cacheRounds is how often the caches of the benchmark are filled.
const cacheRounds = 3

// schemasPerNamespace is how many schemas share a namespace. Admission looks at
// all of them for each pod.
const schemasPerNamespace = 10

// BenchmarkMemory compares what the operator grows by when there are many
// schemas and pods, and what a cache of those pods takes as the operator trims
// them, with a cache of the same pods as they are.
func BenchmarkMemory(b *testing.B) {
	c := newCluster(b)
	metrics := c.newMetrics(b)
	for b.Loop() {
		c.restartOperator(b)
		empty := metrics.settled(b)
		pods := *schemaCount * *podsPerSchema
		c.fill(b)
		grown := metrics.settled(b)

		// One that starts where all that is there already has no garbage of its
		// own making.
		c.restartOperator(b)
		restarted := metrics.settled(b)

		var plain, trimmed sample
		for range cacheRounds {
			plain = append(plain, c.cacheSize(b, nil)/float64(pods))
			trimmed = append(trimmed, c.cacheSize(b, controllers.TrimPod)/float64(pods))
		}
		perPod := func(from, to float64) sample { return sample{(to - from) / float64(pods)} }
		typical := sample{plain.median()}
		compare(b, "trimmed", "memory: cache of trimmed pods / cache of whole pods", "B/pod", trimmed, plain)
		compare(b, "resident", "memory: operator's growth, resident / cache of whole pods", "B/pod", perPod(empty.resident, grown.resident), typical)
		compare(b, "heap", "memory: operator's growth, heap / cache of whole pods", "B/pod", perPod(empty.heap, grown.heap), typical)
		for _, state := range []struct {
			what string
			memory
		}{
			{"without schemas and pods", empty},
			{fmt.Sprintf("with %d schemas and %d pods", *schemaCount, pods), grown},
			{"started with these", restarted},
		} {
			note("operator %s: resident %.0f MiB, heap %.0f MiB; standby resident %.0f MiB", state.what,
				state.resident/(1<<20), state.heap/(1<<20), state.standby/(1<<20))
		}
	}
	b.ReportMetric(0, "ns/op")
}

// fill creates schemas, of which none does anything, and pods that wait for them,
// and returns when the operator has seen them all.
func (c *cluster) fill(b *testing.B) {
	b.Helper()
	namespaces := make([]string, (*schemaCount+schemasPerNamespace-1)/schemasPerNamespace)
	for i := range namespaces {
		namespaces[i] = c.newNamespace(b)
	}
	for _, namespace := range namespaces {
		eventually(b, "the namespace can have pods", func(ctx context.Context) (bool, error) {
			err := c.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &corev1.ServiceAccount{})
			return err == nil, err
		})
	}
	place := func(i int) (namespace, name string) {
		return namespaces[i/schemasPerNamespace], fmt.Sprintf("schema-%d", i%schemasPerNamespace)
	}
	err := each(*schemaCount, 16, func(i int) error { return c.admin.Create(b.Context(), newSuspended(place(i))) })
	if err != nil {
		b.Fatal(err)
	}
	c.createPods(b, *schemaCount**podsPerSchema, func(i int) *corev1.Pod {
		namespace, name := place(i / *podsPerSchema)
		return newPod(namespace, podName(i), name)
	})
	eventually(b, "the operator has seen all pods", func(ctx context.Context) (bool, error) {
		schemas := &v1alpha1.DatabaseSchemaList{}
		if err := c.admin.List(ctx, schemas); err != nil {
			return false, err
		}
		counted := 0
		for i := range schemas.Items {
			if waiting := schemas.Items[i].Status.WaitingPods; waiting != nil && int(*waiting) == *podsPerSchema {
				counted++
			}
		}
		if counted < *schemaCount {
			return false, fmt.Errorf("%d of %d schemas have counted their pods", counted, *schemaCount)
		}
		return true, nil
	})
}

// cacheSize returns how much the heap grows by a cache of all labeled pods.
func (c *cluster) cacheSize(b *testing.B, transform toolscache.TransformFunc) float64 {
	b.Helper()
	labeled, err := labels.NewRequirement(v1alpha1.LabelSchema, selection.Exists, nil)
	if err != nil {
		b.Fatal(err)
	}
	before := heap()
	pods, err := cache.New(c.config, cache.Options{
		Scheme: apiserver.Scheme(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}: {Label: labels.NewSelector().Add(*labeled), Transform: transform},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- pods.Start(ctx) }()
	if _, err := pods.GetInformer(ctx, &corev1.Pod{}); err != nil || !pods.WaitForCacheSync(ctx) {
		b.Fatalf("filling a cache: %v", err)
	}
	size := heap() - before
	runtime.KeepAlive(pods)
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	return size
}

// heap returns how many bytes are in use.
func heap() float64 {
	// The second collection frees what finalizers of the first have released.
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
