// Package bench_test measures the operator on a real node, each time beside
// something that runs in turn with it. There are benchmarks only: they need a
// node of their own, which `make bench-cluster` provides, with the operator
// installed.
package bench_test

import (
	"context"
	"errors"
	"flag"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// How much is measured.
var (
	pairCount       = flag.Int("pairs", 10, "DatabaseSchemas to bring to Ready, and Jobs beside them")
	gateCount       = flag.Int("gates", 500, "gates to open at a time")
	gateRounds      = flag.Int("gate-rounds", 5, "how often to open them, in each way")
	requestCount    = flag.Int("requests", 40, "pods of each kind to create in a round, as dry runs")
	admissionRounds = flag.Int("admission-rounds", 10, "rounds with the admission policies, and without")
	neighborCount   = flag.Int("neighbors", 100, "DatabaseSchemas of one namespace, beside a single one of another")
	schemaCount     = flag.Int("schemas", 1000, "DatabaseSchemas to keep in memory")
	podsPerSchema   = flag.Int("pods-per-schema", 10, "labeled pods of each of them")
)

// hostAddressEnv names the address of this machine as pods see it.
const hostAddressEnv = "SCHEMAGATE_HOST_ADDRESS"

// operatorNamespace is where the manifests put the operator.
const operatorNamespace = "schemagate-system"

// release is what the pods run. It needs neededRevision, and all revisions up to
// there may be applied to a new database.
const (
	release        = "0.3.8"
	neededRevision = 19
)

// patience bounds every wait. Whoever waits this long has failed.
const patience = 5 * time.Minute

// cluster is the node, as an administrator sees it.
type cluster struct {
	config      *rest.Config
	admin       client.WithWatch
	hostAddress string
}

// newCluster connects to the node.
func newCluster(b *testing.B) *cluster {
	b.Helper()
	path, host := os.Getenv("KUBECONFIG"), os.Getenv(hostAddressEnv)
	if path == "" || host == "" {
		b.Fatalf("KUBECONFIG or %s is not set: run the benchmarks with `make bench-cluster`", hostAddressEnv)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		b.Fatal(err)
	}
	// As the operator's own client.
	config.QPS = -1
	return &cluster{config: config, admin: newClient(b, config), hostAddress: host}
}

func newClient(b *testing.B, config *rest.Config) client.WithWatch {
	b.Helper()
	c, err := client.NewWithWatch(config, client.Options{Scheme: apiserver.Scheme()})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *cluster) create(b *testing.B, object client.Object) {
	b.Helper()
	if err := c.admin.Create(b.Context(), object); err != nil {
		b.Fatal(err)
	}
}

// newNamespace creates a namespace that goes when the benchmark ends.
func (c *cluster) newNamespace(b *testing.B) string {
	b.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}
	c.create(b, namespace)
	b.Cleanup(func() {
		if err := c.admin.Delete(context.WithoutCancel(b.Context()), namespace); err != nil {
			b.Error(err)
		}
	})
	return namespace.Name
}

// newServer starts a PostgreSQL server that pods can reach.
func (c *cluster) newServer(b *testing.B) *postgres.Server {
	b.Helper()
	return postgres.Start(b, postgres.ListenOn(c.hostAddress))
}

// newSchema returns a DatabaseSchema, not created yet, of an empty database of
// its own, whose Secret is.
func (c *cluster) newSchema(b *testing.B, server *postgres.Server, namespace, name string) *v1alpha1.DatabaseSchema {
	b.Helper()
	database, err := url.Parse(server.NewDatabase(b))
	if err != nil {
		b.Fatal(err)
	}
	database.Host = c.hostAddress + ":" + database.Port()
	c.create(b, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		StringData: map[string]string{"DATABASE_URL": database.String()},
	})
	schema := apiserver.NewSchema(namespace, name)
	schema.Spec.Database.URLFrom.SecretKeyRef.Name = v1alpha1.ObjectName(name)
	return schema
}

// newSuspended returns a DatabaseSchema, not created yet, that nothing is done
// for.
func newSuspended(namespace, name string) *v1alpha1.DatabaseSchema {
	schema := apiserver.NewSchema(namespace, name)
	// Those of one database would wait for each other.
	schema.Spec.Database.URLFrom.SecretKeyRef.Name = v1alpha1.ObjectName(name)
	schema.Spec.Suspend = new(true)
	return schema
}

// account returns the settings of a client that acts as a service account of
// its own, with a token as the operator has one.
func (c *cluster) account(b *testing.B, namespace, name string) *rest.Config {
	b.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.create(b, account)
	token := &authenticationv1.TokenRequest{}
	if err := c.admin.SubResource("token").Create(b.Context(), account, token); err != nil {
		b.Fatal(err)
	}
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = token.Status.Token
	return config
}

// sighting is an object, and when a watch has shown it so.
type sighting struct {
	object client.Object
	at     time.Time
}

// watch shows the objects of some kinds in a namespace, those that are there
// first, until the context ends. The server ends a watch that does not keep up:
// then another begins, which shows all again.
func (c *cluster) watch(ctx context.Context, b *testing.B, namespace string, kinds ...client.ObjectList) <-chan sighting {
	b.Helper()
	sightings := make(chan sighting, 10000)
	for _, kind := range kinds {
		w, err := c.admin.Watch(ctx, kind, client.InNamespace(namespace))
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			for err == nil {
				pass(ctx, w, sightings)
				if ctx.Err() != nil {
					return
				}
				note("a watch of %T has ended before its time", kind)
				w, err = c.admin.Watch(ctx, kind, client.InNamespace(namespace))
			}
			if ctx.Err() == nil {
				b.Errorf("watching again: %v", err)
			}
		}()
	}
	return sightings
}

// pass passes on what a watch shows until it or the context ends.
func pass(ctx context.Context, w watch.Interface, sightings chan<- sighting) {
	defer w.Stop()
	for e := range w.ResultChan() {
		object, ok := e.Object.(client.Object)
		if !ok || e.Type == watch.Error || e.Type == watch.Deleted {
			continue
		}
		select {
		case sightings <- sighting{object: object, at: time.Now()}:
		case <-ctx.Done():
			return
		}
	}
}

// follow passes on what a watch shows until done. If that does not come, state
// tells how far it was.
func follow(b *testing.B, what string, sightings <-chan sighting, done func(sighting) bool, state func() string) {
	b.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case s := <-sightings:
			if done(s) {
				return
			}
		case <-timeout.C:
			b.Fatalf("%s: not within %s: %s", what, patience, state())
		}
	}
}

// eventually asks again and again until the answer is yes.
func eventually(b *testing.B, what string, condition func(context.Context) (bool, error)) {
	b.Helper()
	every(b, 100*time.Millisecond, what, condition)
}

// every asks at an interval until the answer is yes.
func every(b *testing.B, interval time.Duration, what string, condition func(context.Context) (bool, error)) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	again := time.NewTicker(interval)
	defer again.Stop()
	var last error
	for {
		done, err := condition(ctx)
		if done && err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			b.Fatalf("%s: not within %s (%v)", what, patience, last)
		case <-again.C:
		}
	}
}

// each calls a function for the numbers below n, several at a time.
func each(n, workers int, do func(int) error) error {
	numbers := make(chan int)
	errs := make([]error, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			for number := range numbers {
				if err := do(number); err != nil && errs[i] == nil {
					errs[i] = err
				}
			}
		})
	}
	for number := range n {
		numbers <- number
	}
	close(numbers)
	group.Wait()
	return errors.Join(errs...)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
