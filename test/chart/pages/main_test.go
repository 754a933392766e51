// Package pages_test does what the documentation says: it runs the commands of its
// pages as they stand, with kubectl, Helm and our own program, on a real node.
//
// KUBECONFIG names the node, which has to hold the image schemagate:dev and stand-ins
// of the application, and nothing of schemagate's installed; `make chart-test` provides
// it.
package pages_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// hostAddressEnv names the address of this machine as pods see it.
const hostAddressEnv = "SCHEMAGATE_HOST_ADDRESS"

var (
	admin client.Client
	desk  workplace
)

// workplace is where somebody sits who follows the pages: a checkout, a home, and a
// PATH with what the pages call.
type workplace struct {
	checkout string
	env      []string
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the pages:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

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
	directory, err := os.MkdirTemp("", "schemagate-pages-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if err := furnish(context.Background(), directory, path); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// endless lets a command that goes on until somebody stops it run for a while.
const endless = `#!/bin/sh
case " $* " in
*" --watch "*|*" --follow "*)
	timeout 3 %[1]q "$@"
	status=$?
	[ $status = 124 ] || exit $status ;;
*) exec %[1]q "$@" ;;
esac
`

// furnish makes the workplace in a directory.
func furnish(ctx context.Context, directory, kubeconfig string) error {
	home, programs := filepath.Join(directory, "home"), filepath.Join(directory, "programs")
	desk.checkout = filepath.Join(directory, "schemagate")
	for _, each := range []string{home, programs, desk.checkout} {
		if err := os.Mkdir(each, 0o700); err != nil {
			return err
		}
	}
	root := apiserver.RepositoryRoot()
	// What somebody has who has just cloned it, with what is not committed yet.
	if _, err := output(ctx, root, "bash", "-c", `git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --create | tar --extract --directory="$0"`, desk.checkout); err != nil {
		return err
	}
	if _, err := output(ctx, filepath.Join(root, "test", "chart"), "go", "build", "-o", filepath.Join(programs, "helm"), "helm.sh/helm/v4/cmd/helm"); err != nil {
		return err
	}
	if _, err := output(ctx, root, "go", "build", "-o", filepath.Join(programs, "schemagate"), "."); err != nil {
		return err
	}
	node, err := output(ctx, filepath.Join(root, "hack", "cluster"), "go", "run", ".", "build")
	if err != nil {
		return err
	}
	content, err := os.ReadFile(kubeconfig) //nolint:gosec // whoever runs the tests names it
	if err != nil {
		return err
	}
	own := filepath.Join(home, "kubeconfig") // some pages set the namespace
	for path, file := range map[string]struct {
		content []byte
		mode    fs.FileMode
	}{
		filepath.Join(programs, "kubectl"): {fmt.Appendf(nil, endless, filepath.Join(node, "kubectl")), 0o700},
		own:                                {content, 0o600},
	} {
		if err := os.WriteFile(path, file.content, file.mode); err != nil {
			return err
		}
	}
	caches, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	desk.env = append(os.Environ(), "HOME="+home, "KUBECONFIG="+own, "XDG_CACHE_HOME="+caches,
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home,
		"PATH="+strings.Join([]string{filepath.Join(home, ".local", "bin"), programs, os.Getenv("PATH")}, ":"))
	for _, name := range []string{"GOPATH", "GOCACHE", "GOMODCACHE"} {
		value, err := output(ctx, root, "go", "env", name)
		if err != nil {
			return err
		}
		desk.env = append(desk.env, name+"="+value)
	}
	return nil
}

func output(ctx context.Context, directory, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = directory
	command.Stderr = os.Stderr
	content, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(content)), nil
}
