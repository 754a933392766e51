package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// others returns the directory in which hack/program has put a program of others:
// the program in bin, its module in source.
func others(t *testing.T, name string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(apiserver.RepositoryRoot(), "hack", "program"), name)
	var failure bytes.Buffer
	command.Stderr = &failure
	output, err := command.Output()
	if err != nil {
		t.Fatalf("hack/program %s: %v\n%s", name, err, failure.String())
	}
	return strings.TrimSpace(string(output))
}

// define installs the resource definitions of a directory.
func define(t *testing.T, directory string) {
	t.Helper()
	definitions, err := envtest.InstallCRDs(restConfig, envtest.CRDInstallOptions{
		Paths: []string{directory}, ErrorIfPathMissing: true, MaxTime: apiserver.Timeout,
	})
	if err != nil || len(definitions) == 0 {
		t.Fatalf("%s defines %d resources: %v", directory, len(definitions), err)
	}
}

// daemon runs a program of others on this machine until the test ends. What it
// wrote is shown when the test has failed.
func daemon(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(program)+".log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...) //nolint:gosec // the tests name it
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = log, log
	if err := errors.Join(command.Start(), log.Close()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		select {
		case <-ended:
			t.Errorf("%s has ended by itself", program)
		default:
			_ = command.Process.Signal(syscall.SIGTERM)
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = command.Process.Kill()
			<-ended
		}
		if content, err := os.ReadFile(path); err == nil && t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(program), tail(string(content), 40))
		}
	})
}

// examples reads the manifests below a directory of integrations/, with the
// namespace and the image of the world for those that stand there: what a person
// commits who follows the guide.
func (w *world) examples(directory, release string) map[string]string {
	w.t.Helper()
	root := os.DirFS(apiserver.RepositoryRoot())
	out := map[string]string{}
	err := fs.WalkDir(root, "integrations/"+directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := fs.ReadFile(root, path)
		out[path] = strings.NewReplacer(
			"namespace: open-webui", "namespace: "+w.namespace,
			"ghcr.io/open-webui/open-webui:v0.11.0", standin(release),
			"appVersion: 0.11.0", "appVersion: "+release,
		).Replace(string(content))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// manifests decodes a YAML stream.
func manifests(t *testing.T, content string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			out = append(out, object)
		}
	}
}

// conditionOf returns what an object of others says of itself.
func conditionOf(object *unstructured.Unstructured, kind string) (status, reason, message string) {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		condition, ok := each.(map[string]any)
		if ok && condition["type"] == kind {
			status, _, _ = unstructured.NestedString(condition, "status")
			reason, _, _ = unstructured.NestedString(condition, "reason")
			message, _, _ = unstructured.NestedString(condition, "message")
		}
	}
	return status, reason, message
}

// remove deletes an object of others whose controller is gone.
func remove(t *testing.T, object client.Object) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	err := admin.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"finalizers": null}}`)))
	if err == nil {
		err = admin.Delete(ctx, object)
	}
	if client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
}
