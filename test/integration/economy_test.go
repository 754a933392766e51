package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// calls counts what one operator asks of the API server, and what it works on.
type calls struct {
	mu sync.Mutex
	// requests are method and resource of everything but the watches of caches.
	requests []string
	// worked counts the reconciliations by controller and object.
	worked map[string]int
}

func (c *calls) RoundTripper(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.URL.Query().Get("watch") == "" {
			c.mu.Lock()
			c.requests = append(c.requests, request.Method+" "+resource(request.URL.Path))
			c.mu.Unlock()
		}
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// resource leaves the names out of a path.
func resource(path string) string {
	_, path, _ = strings.Cut(path, "/namespaces/")
	parts := strings.Split(path, "/")
	for i := range parts {
		if i%2 == 0 {
			parts[i] = ""
		}
	}
	return strings.Join(parts, "/")
}

// logger counts reconciliations by what controller-runtime logs of them.
func (c *calls) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		if !strings.Contains(line, `"msg":"Reconcile successful"`) {
			return
		}
		controller, object := field(line, "controller"), field(line, "namespace")+"/"+field(line, "databaseSchema")+field(line, "pod")
		c.mu.Lock()
		defer c.mu.Unlock()
		c.worked[controller+" "+object]++
	}, funcr.Options{Verbosity: 5})
}

func field(line, name string) string {
	_, rest, _ := strings.Cut(line, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// take returns what has been asked for since the last time, in order of names.
func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.requests
	c.requests = nil
	slices.Sort(taken)
	return taken
}

// works returns how often a controller has worked on an object.
func (c *calls) works(controller string, object client.Object) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worked[controller+" "+client.ObjectKeyFromObject(object).String()]
}

// counted runs an operator whose calls are counted.
func counted(t *testing.T) (namespace string, c *calls) {
	t.Helper()
	c = &calls{worked: map[string]int{}}
	namespace = server.NewNamespace(t)
	bindOperator(t, namespace, namespace)
	awaitAuthorized(t, namespace, server.As(t, operator(namespace)))
	config := rest.CopyConfig(server.Config)
	config.Wrap(c.RoundTripper)
	startManager(t, config, namespace, operatorOptions(namespace), c.logger())
	return namespace, c
}

// settled waits until nothing has been worked on and asked for in a while.
func (c *calls) settled(t *testing.T) {
	t.Helper()
	last := -1
	err := wait.PollUntilContextTimeout(t.Context(), time.Second, apiserver.Timeout, true, func(context.Context) (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		now := len(c.requests)
		for _, n := range c.worked {
			now += n
		}
		quiet := now == last
		last = now
		return quiet, nil
	})
	if err != nil {
		t.Fatalf("the operator does not come to rest: %v", err)
	}
}

// ready makes schemas that are ready, each with a pod that it serves and one
// that waits, because the target is not what it needs.
func ready(t *testing.T, namespace string, from, to int) (schemas []*v1alpha1.DatabaseSchema, waiting []*corev1.Pod) {
	t.Helper()
	for i := from; i < to; i++ {
		schema := targeting(namespace, fmt.Sprintf("schema-%d", i))
		create(t, schema)
		schemas = append(schemas, schema)
	}
	for _, schema := range schemas {
		migrate(t, schema, "1", born)
	}
	for _, schema := range schemas {
		await(t, schema, isReady)
		for _, tag := range []string{"0.11.0", "0.11.1"} {
			pod := labeledPod(namespace, "ghcr.io/open-webui/open-webui:"+tag)
			pod.Labels[v1alpha1.LabelSchema] = schema.Name
			create(t, pod)
			if tag == "0.11.1" {
				waiting = append(waiting, pod)
			}
		}
		await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return s.WaitingPods != nil && *s.WaitingPods == 1 })
	}
	return schemas, waiting
}

// TestSteadyStateWritesNothing has the operator look at everything again that
// it looks at, and counts what it asks of the API server meanwhile.
func TestSteadyStateWritesNothing(t *testing.T) {
	t.Parallel()
	namespace, c := counted(t)
	schemas, waiting := ready(t, namespace, 0, 4)
	c.settled(t)
	c.take()

	for round := range 3 {
		value := fmt.Sprint(round)
		for i, schema := range schemas {
			before := c.works("databaseschema", schema)
			annotate(t, schema, "example.test/seen", value)
			apiserver.Eventually(t, func(context.Context) (bool, string) {
				return c.works("databaseschema", schema) > before, "nobody looks at " + schema.Name
			})
			annotate(t, waiting[i], "example.test/seen", value)
		}
		c.settled(t)
	}
	if asked := c.take(); len(asked) > 0 {
		t.Errorf("in the steady state it asks for %q", asked)
	}
	for _, pod := range waiting {
		if err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil || !schedgate.Has(pod) {
			t.Errorf("pod %s waits no longer (%v)", pod.Name, err)
		}
	}
}

// TestWorkPerEvent compares what one event costs beside few schemas and pods and
// beside many.
func TestWorkPerEvent(t *testing.T) {
	t.Parallel()
	namespace, c := counted(t)
	few, _ := ready(t, namespace, 0, 2)
	event := func(schema *v1alpha1.DatabaseSchema, suspend bool, held int32) []string {
		t.Helper()
		c.settled(t)
		c.take()
		patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec": {"suspend": %t}}`, suspend))
		if err := server.Client.Patch(t.Context(), schema, patch); err != nil {
			t.Fatal(err)
		}
		await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return *s.ObservedGeneration == schema.Generation })
		pod := labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.1")
		pod.Labels[v1alpha1.LabelSchema] = schema.Name
		create(t, pod)
		await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return *s.WaitingPods == held })
		c.settled(t)
		return c.take()
	}
	beside2 := event(few[0], true, 2)
	ready(t, namespace, 2, 14)
	for range 40 {
		pod := labeledPod(namespace, "ghcr.io/open-webui/open-webui:0.11.1")
		pod.Labels[v1alpha1.LabelSchema] = "schema-3"
		create(t, pod)
	}
	beside14 := event(few[1], true, 2)
	if diff := cmp.Diff(beside2, beside14); diff != "" {
		t.Errorf("one event costs more where there is more (-beside 2 schemas +beside 14, and 40 pods):\n%s", diff)
	}
	if len(beside2) == 0 || len(beside2) > 6 {
		t.Errorf("a change of a schema and a new pod that waits cost %d requests: %q", len(beside2), beside2)
	}
}
