package openwebui_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

// files are our values for the official chart.
func files(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(apiserver.RepositoryRoot(), "integrations", "open-webui-helm", "*.yaml"))
	must(t, err)
	if len(found) == 0 {
		t.Fatal("there are no files of values")
	}
	return found
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	must(t, err)
	return string(content)
}

// TestKeys: our files set only values that the official chart has, and our chart
// has those and no others.
func TestKeys(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for line := range strings.Lines(read(t, filepath.Join("testdata", "keys.txt"))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			known[line] = false
		}
	}
	ours := filepath.Join("testdata", "chart", "values.yaml")
	for _, file := range append(files(t), ours) {
		for _, key := range keys("", helm.Values(t, read(t, file)), known) {
			if _, ok := known[key]; !ok {
				t.Errorf("%s sets %s, which the official chart is not known to have", filepath.Base(file), key)
			}
			known[key] = known[key] || file == ours
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if !known[key] {
			t.Errorf("%s has no %s", ours, key)
		}
	}
}

// keys returns the names of all values, with dots between those of one path. What
// is below a key that takes anything has the name of that one.
func keys(prefix string, values map[string]any, known map[string]bool) (names []string) {
	for key, value := range values {
		full := prefix + key
		nested, ok := value.(map[string]any)
		_, open := known[full+".*"]
		switch {
		case open:
			names = append(names, full+".*")
		case ok:
			names = append(names, keys(full+".", nested, known)...)
		default:
			names = append(names, full)
		}
	}
	return names
}
