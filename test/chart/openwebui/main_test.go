// Package openwebui_test runs the values that we give people for the official Helm
// chart of Open WebUI, with Helm as a library on a real node. That chart is not here:
// testdata/chart is one of ours that makes the same of the values that ours set.
//
// KUBECONFIG names the node, which has to hold the image schemagate:dev and stand-ins
// of the application, and nothing of schemagate's installed; `make chart-test` provides
// it.
package openwebui_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

const (
	operator          = "schemagate"
	operatorNamespace = "schemagate-system"

	// timeout is Helm's own default. A test that waits this long has failed.
	timeout = 5 * time.Minute

	// hostAddressEnv names the address of this machine as pods see it.
	hostAddressEnv = "SCHEMAGATE_HOST_ADDRESS"
)

var admin client.Client

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the operator:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run installs the operator for the tests, and removes it with its definition, so
// that others find the node as it was.
func run(m *testing.M) (code int, err error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" || os.Getenv(hostAddressEnv) == "" {
		return 1, fmt.Errorf("KUBECONFIG or %s is not set: run the tests with `make chart-test`", hostAddressEnv)
	}
	restConfig, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return 1, err
	}
	restConfig.QPS, restConfig.Burst = -1, -1
	ctrl.SetLogger(logr.Discard()) // the tests say what fails
	if admin, err = client.New(restConfig, client.Options{Scheme: apiserver.Scheme()}); err != nil {
		return 1, err
	}
	ctx := context.Background()
	defer func() { err = errors.Join(err, removeOperator(ctx)) }()
	if err := installOperator(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func installOperator(ctx context.Context) error {
	loaded, err := loader.LoadDir(helm.Dir("schemagate"))
	if err != nil {
		return err
	}
	return install(ctx, operatorNamespace, operator, loaded, map[string]any{
		"image": map[string]any{"registry": "", "repository": "schemagate", "tag": "dev", "pullPolicy": "Never"},
	})
}

func removeOperator(ctx context.Context) error {
	config, err := configuration(operatorNamespace)
	if err != nil {
		return err
	}
	command := action.NewUninstall(config)
	command.WaitStrategy, command.Timeout = kube.StatusWatcherStrategy, timeout
	if _, err := command.Run(operator); err != nil {
		return err
	}
	definition := &unstructured.Unstructured{}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	definition.SetName("databaseschemas.schemagate.dev")
	if err := admin.Delete(ctx, definition); err != nil {
		return err
	}
	return awaitGone(ctx, definition)
}

// awaitGone waits until an object that was deleted is no more.
func awaitGone(ctx context.Context, object client.Object) error {
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

func configuration(namespace string) (*action.Configuration, error) {
	settings := cli.New()
	settings.SetNamespace(namespace)
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	err := config.Init(settings.RESTClientGetter(), namespace, "secret")
	return config, err
}

// install does what "helm install --create-namespace --wait" does.
func install(ctx context.Context, namespace, name string, c *chart.Chart, values map[string]any) error {
	config, err := configuration(namespace)
	if err != nil {
		return err
	}
	command := action.NewInstall(config)
	command.Namespace, command.ReleaseName, command.CreateNamespace = namespace, name, true
	command.WaitStrategy, command.Timeout = kube.StatusWatcherStrategy, timeout
	_, err = command.RunWithContext(ctx, c, values)
	return err
}

// release is one of the application in a namespace of its own.
type release struct {
	namespace string
	values    map[string]any
}

// install does what "helm install --wait -f values.yaml --set image.tag=…" does, with
// the oldest release.
func (r release) install(t *testing.T) {
	t.Helper()
	must(t, install(t.Context(), r.namespace, name, helm.Load(t, filepath.Join("testdata", "chart")), r.with(oldRelease)))
}

// upgrade does what "helm upgrade --wait -f values.yaml --set image.tag=…" does.
func (r release) upgrade(t *testing.T, version string) {
	t.Helper()
	config, err := configuration(r.namespace)
	must(t, err)
	command := action.NewUpgrade(config)
	command.Namespace = r.namespace
	command.WaitStrategy, command.Timeout = kube.StatusWatcherStrategy, timeout
	_, err = command.RunWithContext(t.Context(), name, helm.Load(t, filepath.Join("testdata", "chart")), r.with(version))
	must(t, err)
}

// rollback does what "helm rollback --wait --timeout=…" does.
func (r release) rollback(revision int, patience time.Duration) error {
	config, err := configuration(r.namespace)
	if err != nil {
		return err
	}
	command := action.NewRollback(config)
	command.Version, command.WaitStrategy, command.Timeout = revision, kube.StatusWatcherStrategy, patience
	return command.Run(name)
}

// uninstall does what "helm uninstall --wait" does.
func (r release) uninstall(t *testing.T) {
	t.Helper()
	config, err := configuration(r.namespace)
	must(t, err)
	command := action.NewUninstall(config)
	command.WaitStrategy, command.Timeout = kube.StatusWatcherStrategy, timeout
	_, err = command.Run(name)
	must(t, err)
}

// with returns the values with an image's tag.
func (r release) with(version string) map[string]any {
	return loader.MergeMaps(maps.Clone(r.values), map[string]any{"image": map[string]any{"tag": "v" + version}})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func object(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}
