package chart_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/test/chart/internal/helm"
)

// TestPodTemplateGate: the library chart puts the gate, and the variable that
// switches the application's own migrations off, into the template of pods where
// the API server does not.
func TestPodTemplateGate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kubernetes, values string
		gated              bool
	}{
		"with mutating policies":      {kubernetes: current},
		"without":                     {kubernetes: old, gated: true},
		"first with them":             {kubernetes: "v1.36.0"},
		"vendor's version":            {kubernetes: "v1.36.1-eks-abc123"},
		"vendor's older version":      {kubernetes: "v1.35.4-gke.100", gated: true},
		"without, though newer":       {kubernetes: current, values: "schemagate: {podTemplateGate: true}", gated: true},
		"with, though older":          {kubernetes: old, values: "schemagate: {podTemplateGate: false}"},
		"for all charts of a release": {kubernetes: current, values: "schemagate: {other: 1}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release, err := helm.Render(helm.LoadApplication(t, filepath.Join("testdata", "application")), tc.kubernetes, helm.Values(t, tc.values))
			if err != nil {
				t.Fatal(err)
			}
			check(t, release.Manifest)
			text := squeezed(release.Manifest)
			if !strings.Contains(text, `schemagate.dev/schema: "open-webui"`) {
				t.Error("the label is missing")
			}
			for _, part := range []string{"spec: schedulingGates: - name: schemagate.dev/schema", `- name: ENABLE_DB_MIGRATIONS value: "false"`} {
				if strings.Contains(text, part) != tc.gated {
					t.Errorf("%q: want %t in\n%s", part, tc.gated, release.Manifest)
				}
			}
		})
	}
}
