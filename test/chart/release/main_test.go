// Package release_test installs, upgrades, rolls back and uninstalls the charts on a
// real node, with Helm as a library. KUBECONFIG names the node, which has to hold the
// image schemagate:dev and stand-ins of the application, and nothing of schemagate's
// installed; `make chart-test` provides it.
package release_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
	"github.com/schemagate/schemagate/internal/schedgate"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/postgres"
	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

const (
	operatorNamespace = "schemagate-system"

	// timeout is Helm's own default. A test that waits this long has failed.
	timeout = 5 * time.Minute

	// image makes the chart use what was loaded into the node.
	image = "image: {registry: '', repository: schemagate, tag: dev, pullPolicy: Never}\n"
)

// Releases that there are stand-ins of: from the first to the second all that is
// pending is additive, from there to the third it is not.
const (
	oldRelease     = "0.3.6"
	newRelease     = "0.3.8"
	fencingRelease = "0.3.16"
)

var needs = map[string]int32{oldRelease: 18, newRelease: 19, fencingRelease: 20}

var (
	admin      client.Client
	restConfig *rest.Config
)

func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "preparing:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare() error {
	path := os.Getenv("KUBECONFIG")
	if path == "" || os.Getenv(hostAddressEnv) == "" {
		return fmt.Errorf("KUBECONFIG or %s is not set: run the tests with `make chart-test`", hostAddressEnv)
	}
	var err error
	if restConfig, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return err
	}
	restConfig.QPS, restConfig.Burst = -1, -1
	scheme := apiserver.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return err
	}
	ctrl.SetLogger(logr.Discard())
	admin, err = client.New(restConfig, client.Options{Scheme: scheme})
	return err
}

// configuration is Helm's, for releases in a namespace.
func configuration(t *testing.T, namespace string) *action.Configuration {
	t.Helper()
	settings := cli.New()
	settings.SetNamespace(namespace)
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := config.Init(settings.RESTClientGetter(), namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	return config
}

// install does what "helm install --create-namespace --wait" does.
func install(t *testing.T, namespace, name string, c *chart.Chart, values map[string]any) error {
	t.Helper()
	command := action.NewInstall(configuration(t, namespace))
	command.Namespace, command.ReleaseName, command.CreateNamespace = namespace, name, true
	command.WaitStrategy, command.Timeout = kube.StatusWatcherStrategy, timeout
	_, err := command.RunWithContext(t.Context(), c, values)
	return err
}

// upgrade does what "helm upgrade --wait" does.
func upgrade(t *testing.T, namespace, name string, c *chart.Chart, values map[string]any) (*releasev1.Release, error) {
	t.Helper()
	command := action.NewUpgrade(configuration(t, namespace))
	command.Namespace = namespace
	command.WaitStrategy, command.Timeout = kube.StatusWatcherStrategy, timeout
	upgraded, err := command.RunWithContext(t.Context(), name, c, values)
	if err != nil {
		return nil, err
	}
	return helm.Release(upgraded)
}

// rollback does what "helm rollback --wait" does.
func rollback(t *testing.T, namespace, name string, revision int) error {
	t.Helper()
	command := action.NewRollback(configuration(t, namespace))
	command.Version, command.WaitStrategy, command.Timeout = revision, kube.StatusWatcherStrategy, timeout
	return command.Run(name)
}

// uninstall does what "helm uninstall --wait" does.
func uninstall(t *testing.T, namespace, name string) error {
	t.Helper()
	command := action.NewUninstall(configuration(t, namespace))
	command.WaitStrategy, command.Timeout = kube.StatusWatcherStrategy, timeout
	_, err := command.Run(name)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a namespace with a Secret that tells of a database.
type world struct {
	t         *testing.T
	namespace string
	db        *sql.DB
}

// hostAddressEnv names the address of this machine as pods see it.
const hostAddressEnv = "SCHEMAGATE_HOST_ADDRESS"

func newWorld(t *testing.T, namespace string) *world {
	t.Helper()
	host := os.Getenv(hostAddressEnv)
	server := postgres.Start(t, postgres.ListenOn(host))
	local := server.NewDatabase(t)
	fromPods, err := url.Parse(local)
	must(t, err)
	fromPods.Host = host + ":" + fromPods.Port()
	must(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		// Finalizers would outlive the operator.
		if err := admin.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Error(err)
		}
	})
	must(t, admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "open-webui-db"},
		StringData: map[string]string{"DATABASE_URL": fromPods.String()},
	}))
	return &world{t: t, namespace: namespace, db: postgres.Open(t, local)}
}

// chats counts the rows that application has written.
func (w *world) chats() (rows int) {
	w.t.Helper()
	must(w.t, w.db.QueryRowContext(w.t.Context(), "SELECT count(*) FROM chat").Scan(&rows))
	return rows
}

func (w *world) exec(query string) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), query); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) schema() *v1alpha1.DatabaseSchema {
	w.t.Helper()
	schema := &v1alpha1.DatabaseSchema{}
	must(w.t, admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "open-webui"}, schema))
	return schema
}

// pods lists the application's pods that are not about to end.
func (w *world) pods(ctx context.Context) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := admin.List(ctx, pods, client.InNamespace(w.namespace), client.MatchingLabels{"app": "open-webui"})
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !pod.DeletionTimestamp.IsZero() }), err
}

func (w *world) jobs() int {
	w.t.Helper()
	jobs := &batchv1.JobList{}
	must(w.t, admin.List(w.t.Context(), jobs, client.InNamespace(w.namespace), client.HasLabels{naming.LabelJobSchema}))
	return len(jobs.Items)
}

// runs fails the test unless the schema is at the revision that applied needs, and
// two pods of a release are ready. Helm has waited for both.
func (w *world) runs(applied, release string) {
	w.t.Helper()
	if got := w.schema().Status.AppliedRevision.Version; got != needs[applied] {
		w.t.Errorf("the database is at revision %d, want %d", got, needs[applied])
	}
	pods, err := w.pods(w.t.Context())
	must(w.t, err)
	ready := 0
	for i := range pods {
		if pods[i].Spec.Containers[0].Image == "open-webui:v"+release && isReady(&pods[i]) {
			ready++
		}
	}
	if ready != 2 {
		w.t.Errorf("%d of %d pods are ready ones of %s, want 2", ready, len(pods), release)
	}
}

// awaitWaiting waits until a pod of a release waits behind the gate.
func (w *world) awaitWaiting(release string) {
	w.t.Helper()
	apiserver.Eventually(w.t, func(ctx context.Context) (bool, string) {
		pods, err := w.pods(ctx)
		if err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(pods, func(pod corev1.Pod) bool {
			return pod.Spec.Containers[0].Image == "open-webui:v"+release && schedgate.Has(&pod)
		}), fmt.Sprintf("none of %d pods waits", len(pods))
	})
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// uids tells pods apart.
func (w *world) uids() (uids []string) {
	w.t.Helper()
	pods, err := w.pods(w.t.Context())
	must(w.t, err)
	for i := range pods {
		uids = append(uids, string(pods[i].UID))
	}
	slices.Sort(uids)
	return uids
}
