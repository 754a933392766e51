package e2e_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// fluxNamespace is where the examples have Flux.
const fluxNamespace = "flux-system"

// flux is Flux' kustomize-controller at work on the examples. Its source-controller
// is not there: the test says what is in the repository, and serves it.
type flux struct {
	*world
	source    *unstructured.Unstructured
	artifacts *httptest.Server
	commits   int

	mu      sync.Mutex
	content map[string][]byte
}

// newFlux applies the examples for Flux, as they are but for the namespace.
func newFlux(t *testing.T) *flux {
	t.Helper()
	w := newWorld(t)
	directory := others(t, "kustomize-controller")
	define(t, filepath.Join(directory, "source", "config", "crd", "bases"))
	define(t, filepath.Join(others(t, "source-controller"), "source", "config", "crd", "bases"))
	f := &flux{world: w, content: map[string][]byte{}}
	f.artifacts = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.artifacts.Close)
	err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fluxNamespace}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	files := w.examples("flux", newRelease)
	for _, name := range []string{"source.yaml", "schema.yaml", "app.yaml"} {
		for _, object := range manifests(t, files["integrations/flux/"+name]) {
			create(t, object)
			t.Cleanup(func() { remove(t, object) })
			if object.GetKind() == "GitRepository" {
				f.source = object
			}
		}
	}
	daemon(t, []string{"KUBECONFIG=" + os.Getenv("KUBECONFIG"), "RUNTIME_NAMESPACE=" + fluxNamespace},
		filepath.Join(directory, "bin", "kustomize-controller"),
		"--enable-leader-election=false", "--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0", "--requeue-dependency=1s")
	return f
}

func (f *flux) serve(response http.ResponseWriter, request *http.Request) {
	f.mu.Lock()
	content, ok := f.content[strings.TrimPrefix(request.URL.Path, "/")]
	f.mu.Unlock()
	if !ok {
		http.NotFound(response, request)
		return
	}
	_, _ = response.Write(content)
}

// commit has the repository hold the examples with another release, and returns
// the revision.
func (f *flux) commit(release string) string {
	f.t.Helper()
	archive := pack(f.t, f.examples("flux", release))
	f.commits++
	name := fmt.Sprintf("%d.tar.gz", f.commits)
	f.mu.Lock()
	f.content[name] = archive
	f.mu.Unlock()
	revision := fmt.Sprintf("main@sha1:%040d", f.commits)
	patch := fmt.Appendf(nil, `{"status": {"observedGeneration": 1, "artifact": {
		"path": %q, "url": %q, "revision": %q, "digest": "sha256:%x", "lastUpdateTime": %q, "size": %d
	}}}`, name, f.artifacts.URL+"/"+name, revision, sha256.Sum256(archive), time.Now().UTC().Format(time.RFC3339), len(archive))
	if err := admin.Status().Patch(f.t.Context(), f.source.DeepCopy(), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		f.t.Fatal(err)
	}
	return revision
}

// pack makes an archive of files.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := []byte(files[name])
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// await waits until a Kustomization says something of a revision, and returns the
// message.
func (f *flux) await(name, revision, status string) string {
	f.t.Helper()
	var message string
	apiserver.Eventually(f.t, func(ctx context.Context) (bool, string) {
		object := &unstructured.Unstructured{}
		object.SetAPIVersion("kustomize.toolkit.fluxcd.io/v1")
		object.SetKind("Kustomization")
		if err := admin.Get(ctx, client.ObjectKey{Namespace: fluxNamespace, Name: name}, object); err != nil {
			return false, err.Error()
		}
		var ready, reason string
		ready, reason, message = conditionOf(object, "Ready")
		tried, _, _ := unstructured.NestedString(object.Object, "status", "lastAttemptedRevision")
		return ready == status && tried == revision, fmt.Sprintf("%s of %s: Ready=%s %s: %s", name, tried, ready, reason, message)
	})
	return message
}

// TestFlux: Flux itself installs the application of the examples, upgrades it
// across a fencing revision, says why it cannot go back, and goes on. It has its
// resources in a namespace with a fixed name.
func TestFlux(t *testing.T) {
	ownNode(t)
	t.Parallel()
	f := newFlux(t)
	const replicas = 3

	first := f.commit(newRelease)
	f.await("open-webui-schema", first, "True")
	f.await("open-webui", first, "True")
	// What Flux calls ready is.
	f.isAt(newRelease, replicas)

	second := f.commit(fencingRelease)
	f.await("open-webui", second, "True")
	f.isAt(fencingRelease, replicas)

	// There is no way back by itself. Flux says so long before its timeout, an hour.
	third := f.commit(newRelease)
	if message := f.await("open-webui", third, "False"); !strings.Contains(message, "DatabaseSchema/"+f.namespace+"/open-webui") {
		t.Errorf("Flux says %q, which does not name the schema", message)
	}
	f.awaitReason(metav1.ConditionFalse, "DowngradeRequired")

	// Flux may see the schema before the operator has seen the pods, and fails then:
	// it tries again after the retryInterval of the example.
	fourth := f.commit(fencingRelease)
	f.await("open-webui", fourth, "True")
	f.isAt(fencingRelease, replicas)
}

// isAt fails the test unless everything is at a release now.
func (w *world) isAt(release string, replicas int) {
	w.t.Helper()
	schema, err := w.schema(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if schema.Status.AppliedRevision.Version != needs[release] {
		w.t.Errorf("the schema is at %d, want %d", schema.Status.AppliedRevision.Version, needs[release])
	}
	if pods := w.ready(w.t.Context(), release); len(pods) < replicas {
		w.t.Errorf("%d pods of %s are ready, want %d", len(pods), release, replicas)
	}
}
