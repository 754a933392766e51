// Package helm calls Helm as a library, the way that its commands do, for tests.
package helm

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/release"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// Dir returns the directory of a chart of this repository.
func Dir(name string) string {
	return filepath.Join(apiserver.RepositoryRoot(), "charts", name)
}

// Load reads a chart. Each release needs one of its own: Helm changes it.
func Load(t *testing.T, directory string) *chart.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// Values parses YAML as the files that "helm --values" names; later ones count
// before earlier ones.
func Values(t *testing.T, files ...string) map[string]any {
	t.Helper()
	values := map[string]any{}
	for _, file := range files {
		var content map[string]any
		if err := yaml.Unmarshal([]byte(file), &content); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		values = loader.MergeMaps(values, content)
	}
	return values
}

// Render does what "helm template" does, for a version of Kubernetes.
func Render(c *chart.Chart, kubernetes string, values map[string]any) (*releasev1.Release, error) {
	return RenderAs(c, "schemagate", "schemagate-system", kubernetes, values)
}

// RenderAs does the same with another name and namespace of the release.
func RenderAs(c *chart.Chart, name, namespace, kubernetes string, values map[string]any) (*releasev1.Release, error) {
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy = action.DryRunClient
	install.ReleaseName, install.Namespace = name, namespace
	install.KubeVersion = version
	rendered, err := install.Run(c, maps.Clone(values))
	if err != nil {
		return nil, err
	}
	return Release(rendered)
}

// Release returns what Helm's commands return in its only version so far.
func Release(releaser release.Releaser) (*releasev1.Release, error) {
	found, ok := releaser.(*releasev1.Release)
	if !ok {
		return nil, fmt.Errorf("the release is a %T", releaser)
	}
	return found, nil
}

// LoadApplication reads a chart of a user's that has the library chart as a
// dependency, as "helm dependency build" leaves it.
func LoadApplication(t *testing.T, directory string) *chart.Chart {
	t.Helper()
	application := Load(t, directory)
	application.AddDependency(Load(t, Dir("schemagate-gate")))
	return application
}
