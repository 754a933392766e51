// Package prometheus_test checks what goes with the operator's metrics: the
// alerts, which are evaluated by Prometheus' own engine, the dashboard, and the
// component that installs them.
package prometheus_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// root is the repository's, component what is checked here.
var (
	root      = filepath.Join("..", "..")
	component = filepath.Join(root, "config", "components", "prometheus")
)

var promql = parser.NewParser(parser.Options{})

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// loadRules reads the alerts as Prometheus does.
func loadRules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(component, "rules.yaml"), false, model.LegacyValidation, promql, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	var out []rulefmt.Rule
	for _, group := range groups.Groups {
		out = append(out, group.Rules...)
	}
	return out
}

// panel is what is checked of a panel of the dashboard.
type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Targets     []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
	GridPos struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	} `json:"gridPos"`
}

type dashboard struct {
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name       string          `json:"name"`
			Type       string          `json:"type"`
			Definition string          `json:"definition"`
			Query      json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

func loadDashboard(t *testing.T) dashboard {
	t.Helper()
	var out dashboard
	if err := json.Unmarshal([]byte(read(t, component, "dashboard.json")), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// ofKubeStateMetrics are series that are not the operator's: rules.yaml and the
// guide name them.
var ofKubeStateMetrics = map[string][]string{
	"kube_pod_status_scheduled": {"namespace", "pod", "condition"},
	"kube_pod_labels":           {"namespace", "pod", "label_schemagate_dev_schema"},
}

// reference returns the labels of each metric that docs/reference/metrics.md
// lists. A test of the metrics sees to it that it lists them all.
func reference(t *testing.T) map[string][]string {
	t.Helper()
	names := regexp.MustCompile("`([a-z_]+)`")
	out := map[string][]string{}
	for line := range strings.Lines(read(t, root, "docs", "reference", "metrics.md")) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(line, "| `") {
			continue
		}
		// Of ours, the type comes before the labels.
		of, kind := cells[2], ""
		if len(cells) == 6 {
			of, kind = cells[3], strings.TrimSpace(cells[2])
		}
		var labels []string
		for _, match := range names.FindAllStringSubmatch(of, -1) {
			labels = append(labels, match[1])
		}
		for _, match := range names.FindAllStringSubmatch(cells[1], -1) {
			own := slices.Clone(labels)
			if strings.HasPrefix(match[1], "schemagate_databaseschema_") {
				own = append(own, "namespace", "name")
			}
			if kind == "histogram" || strings.Contains(cells[3], "histogram") {
				for _, suffix := range []string{"_bucket", "_sum", "_count"} {
					out[match[1]+suffix] = append(slices.Clone(own), "le")
				}
				continue
			}
			out[match[1]] = own
		}
	}
	if len(out) < 20 {
		t.Fatalf("the reference is read wrong: %v", out)
	}
	return out
}
