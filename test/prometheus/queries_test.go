package prometheus_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// TestQueries: every query of the alerts and of the dashboard is one, and asks for
// metrics and labels that there are.
func TestQueries(t *testing.T) {
	t.Parallel()
	known := reference(t)
	maps.Copy(known, ofKubeStateMetrics)
	for where, query := range queries(t) {
		expr, err := promql.ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		checkNames(t, where, expr, known)
	}
}

// queries returns those of all alerts and panels, by where they are. Grafana fills
// in the interval.
func queries(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, rule := range loadRules(t) {
		out["alert "+rule.Alert] = rule.Expr
	}
	for _, panel := range loadDashboard(t).Panels {
		for i, target := range panel.Targets {
			out["panel "+panel.Title+" "+string(rune('A'+i))] = strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
		}
	}
	return out
}

func checkNames(t *testing.T, where string, expr parser.Expr, known map[string][]string) {
	t.Helper()
	selected := 0
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		selected++
		own, ok := known[selector.Name]
		if !ok {
			t.Errorf("%s asks for %s, which nobody tells", where, selector.Name)
			return nil
		}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != model.MetricNameLabel && !slices.Contains(own, matcher.Name) {
				t.Errorf("%s asks for %s by %s, a label that it does not have: %v", where, selector.Name, matcher.Name, own)
			}
		}
		return nil
	})
	if selected == 0 {
		t.Errorf("%s asks for no metric", where)
	}
}

// TestPanels: they say what they show, and lie beside each other.
func TestPanels(t *testing.T) {
	t.Parallel()
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range loadDashboard(t).Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: its id is taken, or it has no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %q shows nothing, or does not say what", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestVariables: they ask for what there is.
func TestVariables(t *testing.T) {
	t.Parallel()
	known := reference(t)
	for _, variable := range loadDashboard(t).Templating.List {
		if variable.Type != "query" {
			continue
		}
		var asked struct {
			Query string `json:"query"`
		}
		if err := json.Unmarshal(variable.Query, &asked); err != nil || asked.Query != variable.Definition {
			t.Errorf("the variable %s asks for %s (%v), and says it is %s", variable.Name, asked.Query, err, variable.Definition)
		}
		match := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(variable.Definition)
		if match == nil {
			t.Errorf("the variable %s is %s", variable.Name, variable.Definition)
			continue
		}
		expr, err := promql.ParseExpr(match[1])
		if err != nil {
			t.Errorf("the variable %s: %v", variable.Name, err)
			continue
		}
		checkNames(t, "the variable "+variable.Name, expr, known)
		if selector, ok := expr.(*parser.VectorSelector); !ok || !slices.Contains(known[selector.Name], match[2]) {
			t.Errorf("the variable %s wants the label %s of %s", variable.Name, match[2], match[1])
		}
	}
}
