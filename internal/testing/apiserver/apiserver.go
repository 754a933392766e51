// Package apiserver starts a real kube-apiserver and etcd for tests, with
// schemagate's resource definition and, where asked, its admission policies.
package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/admission"
)

// BinariesEnv names the environment variable with the directory that holds
// kube-apiserver and etcd. `make test` sets it.
const BinariesEnv = "SCHEMAGATE_CLUSTER_BIN"

// Timeout bounds every wait for the API server. It is generous: a test that
// waits this long has failed.
const Timeout = time.Minute

// Server is a running API server.
type Server struct {
	// Config is an administrator's: a member of system:masters.
	Config *rest.Config

	// Client uses Config, without a cache.
	Client client.Client

	environment *envtest.Environment
}

// Scheme returns a scheme with Kubernetes' own types and schemagate's.
func Scheme() *k8sruntime.Scheme {
	scheme := k8sruntime.NewScheme()
	for _, add := range []func(*k8sruntime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one name: a mistake in this program
		}
	}
	return scheme
}

// Main runs the tests of a package beside one API server; it is meant for
// TestMain. It calls prepare with the server before the first test, and
// returns the exit code.
func Main(m *testing.M, prepare func(context.Context, *Server) error) (code int) {
	server, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the API server:", err)
		return 1
	}
	defer func() {
		if err := server.environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the API server:", err)
			code = 1
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Timeout)
	defer cancel()
	if err := prepare(ctx, server); err != nil {
		fmt.Fprintln(os.Stderr, "preparing the API server:", err)
		return 1
	}
	return m.Run()
}

func start() (*Server, error) {
	binaries := os.Getenv(BinariesEnv)
	if binaries == "" {
		return nil, fmt.Errorf("%s is not set: run the tests with `make test`, or set it to the directory that `make cluster-binaries` prints", BinariesEnv)
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if _, err := exec.LookPath(filepath.Join(binaries, name)); err != nil {
			return nil, fmt.Errorf("%s is %s, which does not hold %s: run `make cluster-binaries`: %w", BinariesEnv, binaries, name, err)
		}
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: binaries,
		CRDDirectoryPaths:     []string{filepath.Join(RepositoryRoot(), "config", "crd")},
		ErrorIfCRDPathMissing: true,
		// An own etcd and API server start in seconds; the default gives up
		// too early on a busy machine.
		ControlPlaneStartTimeout: 2 * Timeout,
		ControlPlaneStopTimeout:  Timeout,
	}
	// Another program's settings must not lend us its cluster.
	environment.UseExistingCluster = new(false)
	config, err := environment.Start()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = -1, -1
	c, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, err
	}
	return &Server{Config: config, Client: c, environment: environment}, nil
}

// RepositoryRoot returns the directory of the product's go.mod.
func RepositoryRoot() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// NewNamespace creates a namespace for one test. The API server runs without
// the controller that would empty it, so it is left to go with the server.
func (s *Server) NewNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := s.Client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

// As returns a client that acts as the named user.
func (s *Server) As(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	config := rest.CopyConfig(s.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{"system:authenticated"}, groups...)}
	c, err := client.New(config, client.Options{Scheme: s.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// InstallPolicies creates the admission policies and waits until each of them
// acts: the API server takes them up a moment after they were created.
func (s *Server) InstallPolicies(ctx context.Context) error {
	for _, policy := range admission.Policies() {
		// The files are what people install, so they are what is tested.
		if err := s.CreateFrom(ctx, "config", "admission", policy.FileName()); err != nil {
			return err
		}
	}
	return s.awaitPolicies(ctx)
}

// Eventually calls condition until it returns true, and fails the test with
// the last reason when it does not within Timeout.
func Eventually(t *testing.T, condition func(ctx context.Context) (done bool, reason string)) {
	t.Helper()
	var reason string
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, Timeout, true, func(ctx context.Context) (bool, error) {
		done, why := condition(ctx)
		if ctx.Err() == nil {
			reason = why // that the time is over says nothing
		}
		return done, nil
	})
	if err != nil {
		t.Fatalf("not within %s: %s", Timeout, reason)
	}
}

// CreateFrom creates every object of a YAML file of the repository.
func (s *Server) CreateFrom(ctx context.Context, path ...string) error {
	content, err := os.ReadFile(filepath.Join(append([]string{RepositoryRoot()}, path...)...))
	if err != nil {
		return err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(path...), err)
		}
		if err := s.Client.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("%s: %w", filepath.Join(path...), err)
		}
	}
}
