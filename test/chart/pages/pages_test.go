package pages_test

import (
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/testing/pages"
)

// elsewhere are pages whose blocks are not run here, each with the reason.
var elsewhere = map[string]string{
	"docs/runbooks/README.md": "TestRunbooks of test/e2e runs them",
	"docs/performance.md":     "benchmarks, which take long and cannot fail",
	"docs/reliability.md":     "make test runs a part of the same, with a seed of its own",
	"docs/releasing.md":       "of a release that was downloaded",
}

// stories are how the pages are followed whose blocks are run here.
func stories() map[string]func(*reader) {
	return map[string]func(*reader){
		"README.md":                        withoutCluster,
		"charts/schemagate/README.md":      chart,
		"docs/admission.md":                gatekeeper,
		"docs/guides/adopting.md":          adopt,
		"docs/guides/argo-cd.md":           argo,
		"docs/guides/backups.md":           look,
		"docs/guides/flux.md":              list,
		"docs/guides/kubectl.md":           plugin,
		"docs/guides/kustomize.md":         kustomize,
		"docs/guides/monitoring.md":        scrape,
		"docs/guides/open-webui-helm.md":   official,
		"docs/guides/plain-kubectl.md":     plain,
		"docs/guides/several-instances.md": several,
		"docs/operations.md":               operate,
		"docs/quick-start.md":              quickStart,
		"docs/reference/events.md":         events,
		"hack/cluster/README.md":           node,
	}
}

// follow follows a page from its beginning to its end.
func follow(t *testing.T, path string) {
	t.Helper()
	t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
		r := read(t, path)
		stories()[path](r)
		r.end()
	})
}

// TestEveryPage: every page with a block for a shell is followed, or there is a reason.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	blocks := 0
	for path, page := range pages.All(t) {
		if len(page.Shell()) == 0 {
			continue
		}
		blocks += len(page.Shell())
		if (stories()[path] != nil) == (elsewhere[path] != "") {
			t.Errorf("%s has blocks for a shell: follow it, or say why not", path)
		}
	}
	for path := range elsewhere {
		if page := pages.All(t)[path]; page == nil || len(page.Shell()) == 0 {
			t.Errorf("%s has no blocks for a shell: take it from the list", path)
		}
	}
	if blocks < 130 {
		t.Errorf("only %d blocks were found", blocks)
	}
}

// TestKubectl installs the operator with kubectl as a page says, follows those that
// need one, and removes it.
func TestKubectl(t *testing.T) { //nolint:paralleltest // there is one operator at a time
	follow(t, "docs/guides/plain-kubectl.md")
}

// TestHelm installs the operator with Helm as a page says, follows those that go on
// from there, and removes it.
func TestHelm(t *testing.T) { //nolint:paralleltest // there is one operator at a time
	follow(t, "README.md")
	follow(t, "charts/schemagate/README.md")
}

// TestNode starts a node as a page says.
func TestNode(t *testing.T) { //nolint:paralleltest // what it needs of the machine is the other tests'
	follow(t, "hack/cluster/README.md")
}
