package bench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/admission"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// The names of DatabaseSchemas that pods of the benchmark carry.
const (
	servingSchema = "serving"
	missingSchema = "missing"
	noSchema      = ""
)

// BenchmarkAdmission compares the creation of pods, as dry runs, that the
// policies let through, gate and do not look at, with that of the same pods when
// there are no policies.
func BenchmarkAdmission(b *testing.B) {
	c := newCluster(b)
	namespace := c.newNamespace(b)
	policies := readPolicies(b)
	b.Cleanup(func() {
		if err := c.installPolicies(context.WithoutCancel(b.Context()), policies); err != nil {
			b.Error(err)
		}
	})
	schema := c.newSchema(b, c.newServer(b), namespace, servingSchema)
	schema.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetAppVersion, AppVersion: release}
	c.create(b, schema)
	eventually(b, "the schema is ready", func(ctx context.Context) (bool, error) {
		err := c.admin.Get(ctx, client.ObjectKeyFromObject(schema), schema)
		return apimeta.IsStatusConditionTrue(schema.Status.Conditions, v1alpha1.ConditionReady), err
	})
	kinds := []string{servingSchema, missingSchema, noSchema}
	for b.Loop() {
		with, without := map[string]sample{}, map[string]sample{}
		for range *admissionRounds {
			c.removePolicies(b, policies)
			c.awaitPolicies(b, namespace, false)
			c.admit(b, namespace, kinds, without)
			// In the end they are there again, for other benchmarks.
			if err := c.installPolicies(b.Context(), policies); err != nil {
				b.Fatal(err)
			}
			c.awaitPolicies(b, namespace, true)
			c.admit(b, namespace, kinds, with)
		}
		compare(b, "served", "admission: labeled pod, let through / unlabeled", "ms", with[servingSchema], with[noSchema])
		compare(b, "gated", "admission: labeled pod, gated / unlabeled", "ms", with[missingSchema], with[noSchema])
		compare(b, "served-alone", "admission: labeled pod, let through / without policies", "ms", with[servingSchema], without[servingSchema])
		compare(b, "gated-alone", "admission: labeled pod, gated / without policies", "ms", with[missingSchema], without[missingSchema])
		compare(b, "unlabeled-alone", "admission: unlabeled pod / without policies", "ms", with[noSchema], without[noSchema])
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAdmissionNeighbors compares the creation of a labeled pod, as a dry
// run, where there are many DatabaseSchemas with that where there is one: the API
// server shows all of a namespace to the policies, one after the other.
func BenchmarkAdmissionNeighbors(b *testing.B) {
	c := newCluster(b)
	crowded, lonely := c.newNamespace(b), c.newNamespace(b)
	for namespace, schemas := range map[string]int{crowded: *neighborCount, lonely: 1} {
		for i := range schemas {
			c.create(b, newSuspended(namespace, fmt.Sprintf("schema-%d", i)))
		}
	}
	for b.Loop() {
		ours, beside := map[string]sample{}, map[string]sample{}
		for range *admissionRounds {
			c.admit(b, crowded, []string{"schema-0"}, ours)
			c.admit(b, lonely, []string{"schema-0"}, beside)
		}
		compare(b, "neighbors", fmt.Sprintf("admission: labeled pod beside %d schemas / beside 1", *neighborCount), "ms", ours["schema-0"], beside["schema-0"])
	}
	b.ReportMetric(0, "ns/op")
}

// admit creates pods of each kind in turn, and adds the median time of each kind
// to its sample. Some requests before warm the server up.
func (c *cluster) admit(b *testing.B, namespace string, kinds []string, into map[string]sample) {
	b.Helper()
	const warmUp = 20
	times := map[string]sample{}
	for i := range warmUp + *requestCount {
		for _, kind := range kinds {
			pod := newPod(namespace, "probe", kind)
			began := time.Now()
			if err := c.admin.Create(b.Context(), pod, client.DryRunAll); err != nil {
				b.Fatal(err)
			}
			if took := time.Since(began); i >= warmUp {
				times[kind] = append(times[kind], milliseconds(took))
			}
		}
	}
	for _, kind := range kinds {
		into[kind] = append(into[kind], times[kind].median())
	}
}

// awaitPolicies waits until the policies act, or do so no longer.
func (c *cluster) awaitPolicies(b *testing.B, namespace string, act bool) {
	b.Helper()
	gated := func(ctx context.Context, schema string) (bool, error) {
		pod := newPod(namespace, "probe", schema)
		err := c.admin.Create(ctx, pod, client.DryRunAll)
		return schedgate.Has(pod), err
	}
	eventually(b, fmt.Sprintf("policies act: %t", act), func(ctx context.Context) (bool, error) {
		held, err := gated(ctx, missingSchema)
		if err != nil || held != act {
			return false, err
		}
		served, err := gated(ctx, servingSchema)
		if err != nil || served {
			return false, err
		}
		// The validating policies are taken up apart from the others.
		bound := newPod(namespace, "probe", missingSchema)
		bound.Spec.NodeName = "no-such-node"
		return (c.admin.Create(ctx, bound, client.DryRunAll) != nil) == act, nil
	})
}

// readPolicies reads the policies and their bindings from the files that people
// install.
func readPolicies(b *testing.B) []*unstructured.Unstructured {
	b.Helper()
	var out []*unstructured.Unstructured
	for _, policy := range admission.Policies() {
		content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "config", "admission", policy.FileName()))
		if err != nil {
			b.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			out = append(out, object)
		}
	}
	return out
}

func (c *cluster) installPolicies(ctx context.Context, policies []*unstructured.Unstructured) error {
	for _, policy := range policies {
		if err := client.IgnoreAlreadyExists(c.admin.Create(ctx, policy.DeepCopy())); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) removePolicies(b *testing.B, policies []*unstructured.Unstructured) {
	b.Helper()
	for _, policy := range policies {
		if err := c.admin.Delete(b.Context(), policy.DeepCopy()); err != nil {
			b.Fatal(err)
		}
	}
}
