package bench_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
)

// operatorWorkers is how many gates the operator opens at a time.
const operatorWorkers = 16

// opening is how long gates took to open, in milliseconds since the first could.
type opening struct{ latencies sample }

func (o opening) part(share float64) float64 { return o.latencies.quantile(share) }

// BenchmarkGates compares the operator, from the moment that a status says the
// pods are served until all gates are open, with a program that knows beforehand
// which gates to open and sends nothing but the patches.
func BenchmarkGates(b *testing.B) {
	c := newCluster(b)
	namespace := c.newNamespace(b)
	server := c.newServer(b)
	c.create(b, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "gatekeeper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "schemagate-gatekeeper"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "gatekeeper"}},
	})
	gatekeeper := newClient(b, c.account(b, namespace, "gatekeeper"))
	for b.Loop() {
		var operator, together, single []opening
		for i := range *gateRounds {
			operator = append(operator, c.openByOperator(b, c.newSchema(b, server, namespace, fmt.Sprintf("schema-%d", i))))
			together = append(together, c.openByHand(b, gatekeeper, namespace, operatorWorkers))
			single = append(single, c.openByHand(b, gatekeeper, namespace, 1))
		}
		for _, row := range []struct {
			metric, what string
			beside       []opening
			share        float64
		}{
			{"all", "all of %d gates, operator / patches 16 at a time", together, 1},
			{"p50", "p50 of %d gates, operator / patches 16 at a time", together, 0.5},
			{"p99", "p99 of %d gates, operator / patches 16 at a time", together, 0.99},
			{"single", "all of %d gates, operator / patches one by one", single, 1},
		} {
			compare(b, row.metric, fmt.Sprintf(row.what, *gateCount), "ms", openings(operator, row.share), openings(row.beside, row.share))
		}
	}
	b.ReportMetric(0, "ns/op")
}

func openings(all []opening, share float64) sample {
	var out sample
	for _, o := range all {
		out = append(out, o.part(share))
	}
	return out
}

// openByOperator has pods wait for a suspended schema, lets it go on, and times
// the gates from the status that serves the pods.
func (c *cluster) openByOperator(b *testing.B, schema *v1alpha1.DatabaseSchema) opening {
	b.Helper()
	schema.Spec.Suspend = new(true)
	c.create(b, schema)
	c.createGated(b, schema.Namespace, schema.Name)
	eventually(b, "the operator has seen all pods", func(ctx context.Context) (bool, error) {
		err := c.admin.Get(ctx, client.ObjectKeyFromObject(schema), schema)
		waiting := schema.Status.WaitingPods
		return waiting != nil && int(*waiting) == *gateCount, err
	})
	opened := c.watchGates(b, schema.Namespace, schema.UID, func() {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"suspend": false}}`))
		if err := c.admin.Patch(b.Context(), schema.DeepCopy(), patch); err != nil {
			b.Error(err)
		}
	})
	c.removePods(b, schema.Namespace)
	if err := c.admin.Delete(b.Context(), schema); err != nil {
		b.Fatal(err)
	}
	return opened
}

// openByHand has pods wait for a schema that is not there, and opens their gates
// by nothing but patches.
func (c *cluster) openByHand(b *testing.B, gatekeeper client.Client, namespace string, workers int) opening {
	b.Helper()
	pods := c.createGated(b, namespace, "nobody")
	opened := c.watchGates(b, namespace, "", func() {
		err := each(len(pods), workers, func(i int) error {
			at := schedgate.Index(pods[i])
			patch := fmt.Appendf(nil, `[{"op": "test", "path": "/spec/schedulingGates/%d/name", "value": %q}, {"op": "remove", "path": "/spec/schedulingGates/%d"}]`,
				at, v1alpha1.GateName, at)
			target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pods[i].Name}}
			return gatekeeper.Patch(b.Context(), target, client.RawPatch(types.JSONPatchType, patch))
		})
		if err != nil {
			b.Error(err)
		}
	})
	c.removePods(b, namespace)
	return opened
}

// createGated creates pods that wait behind the gate.
func (c *cluster) createGated(b *testing.B, namespace, schema string) []*corev1.Pod {
	b.Helper()
	pods := make([]*corev1.Pod, *gateCount)
	c.createPods(b, len(pods), func(i int) *corev1.Pod {
		pods[i] = newPod(namespace, podName(i), schema)
		return pods[i]
	})
	for _, pod := range pods {
		if !schedgate.Has(pod) {
			b.Fatalf("pod %s is not gated", pod.Name)
		}
	}
	return pods
}

// watchGates starts something and notes when each gate was seen open. The time
// begins when the schema, if there is one, is seen to serve the pods.
func (c *cluster) watchGates(b *testing.B, namespace string, schema types.UID, start func()) (o opening) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	sightings := c.watch(ctx, b, namespace, &v1alpha1.DatabaseSchemaList{}, &corev1.PodList{})
	began := time.Now()
	started := make(chan struct{})
	go func() {
		defer close(started)
		start()
	}()
	open := map[types.UID]time.Time{}
	follow(b, fmt.Sprintf("%d gates open", *gateCount), sightings, func(s sighting) bool {
		if seen, ok := s.object.(*v1alpha1.DatabaseSchema); ok && seen.UID == schema &&
			seen.Status.Gate.State == v1alpha1.GateOpen && seen.Status.Serves.To == neededRevision {
			began, schema = s.at, ""
		}
		if pod, ok := s.object.(*corev1.Pod); ok && pod.Labels[v1alpha1.LabelSchema] != "" && !schedgate.Has(pod) {
			if _, before := open[pod.UID]; !before {
				open[pod.UID] = s.at
			}
		}
		return len(open) == *gateCount
	}, func() string { return fmt.Sprintf("%d were seen open; %s", len(open), c.describe(b, namespace)) })
	<-started
	for _, at := range open {
		o.latencies = append(o.latencies, milliseconds(at.Sub(began)))
	}
	return o
}

// describe says how the schemas and pods of a namespace are now.
func (c *cluster) describe(b *testing.B, namespace string) string {
	b.Helper()
	schemas, pods := &v1alpha1.DatabaseSchemaList{}, &corev1.PodList{}
	if err := errors.Join(c.admin.List(b.Context(), schemas, client.InNamespace(namespace)), c.admin.List(b.Context(), pods, client.InNamespace(namespace))); err != nil {
		return err.Error()
	}
	gated := 0
	for i := range pods.Items {
		if schedgate.Has(&pods.Items[i]) {
			gated++
		}
	}
	text := fmt.Sprintf("%d of %d pods are gated", gated, len(pods.Items))
	for i := range schemas.Items {
		text += fmt.Sprintf("\n%s: %+v", schemas.Items[i].Name, schemas.Items[i].Status)
	}
	return text
}
