// Package e2e_test runs the product on a real node: real pods, a real kubelet,
// the manifests that people install. KUBECONFIG names the cluster, which has to
// hold the image schemagate:dev; `make test-e2e` provides both.
package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// image is the product's own. It serves as the application, too: what is tested
// is whether a pod starts, not what it does then.
const image = "schemagate:dev"

var (
	restConfig *rest.Config
	admin      client.Client
	watching   client.WithWatch
)

func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "preparing the cluster:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// prepare installs the operator as the documentation says.
func prepare() error {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return errors.New("KUBECONFIG is not set: run the tests with `make test-e2e`")
	}
	var err error
	if restConfig, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return err
	}
	restConfig.QPS, restConfig.Burst = -1, -1
	if admin, err = client.New(restConfig, client.Options{Scheme: apiserver.Scheme()}); err != nil {
		return err
	}
	if watching, err = client.NewWithWatch(restConfig, client.Options{Scheme: apiserver.Scheme()}); err != nil {
		return err
	}
	ctrl.SetLogger(logr.Discard()) // the tests say what fails
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(apiserver.RepositoryRoot(), "config", "default")); err != nil {
		return err
	}
	return kubectl(ctx, "-n", "schemagate-system", "rollout", "status", "deployment/schemagate", "--timeout=4m")
}

func kubectl(ctx context.Context, args ...string) error {
	_, err := kubectlOutput(ctx, args...)
	return err
}

func kubectlOutput(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"run", ".", "exec", "--", "kubectl"}, args...)...)
	command.Dir = filepath.Join(apiserver.RepositoryRoot(), "hack", "cluster")
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %v: %w\n%s", args, err, output)
	}
	return string(output), nil
}
