package docs_test

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

// emission is a call that emits an event, as the code has it.
type emission struct{ regarding, kind, reason, action string }

// spoken is how the page says what is no constant.
var spoken = map[string]string{
	"next.Reason":    "that of `Ready`",
	"attempt.Reason": "that of the failure",
}

// emissions returns the calls that emit events.
func emissions(t *testing.T) []emission {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(apiserver.RepositoryRoot(), "controllers", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []emission
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			function, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || function.Sel.Name != "Eventf" {
				return true
			}
			out = append(out, emission{source(t, call.Args[0]), source(t, call.Args[2]), source(t, call.Args[3]), source(t, call.Args[4])})
			return true
		})
	}
	return out
}

// source is an expression as it is written.
func source(t *testing.T, expression ast.Expr) string {
	t.Helper()
	var out strings.Builder
	if err := printer.Fprint(&out, token.NewFileSet(), expression); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// waits are the reasons that pods are given to wait.
func waits(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(apiserver.RepositoryRoot(), "internal", "plan", "release.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			if function, ok := call.Fun.(*ast.Ident); ok && function.Name == "waits" {
				out = append(out, source(t, call.Args[0]))
			}
		}
		return true
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// values are the constants that calls for events use, by how they name them, and
// actions those that are actions.
func values(t *testing.T) (byName map[string]string, actions []string) {
	t.Helper()
	byName = map[string]string{"corev1.EventTypeNormal": "Normal", "corev1.EventTypeWarning": "Warning"}
	for prefix, path := range map[string]string{"v1alpha1.": "api/v1alpha1/conditions.go", "plan.": "internal/plan/plan.go", "": "controllers/events.go"} {
		for _, c := range constants(t, path) {
			byName[prefix+c.name] = c.value
			if strings.HasPrefix(c.block, "Actions") {
				actions = append(actions, c.value)
			}
		}
	}
	slices.Sort(actions)
	return byName, slices.Compact(actions)
}

// TestEvents: every event that the code emits is on the page, on the right kind of
// object, with its type and its action, and the page has no other one.
func TestEvents(t *testing.T) {
	t.Parallel()
	p := pages.All(t)["docs/reference/events.md"]
	constants, _ := values(t)
	var known []string
	for _, e := range emissions(t) {
		reasons := []string{e.reason}
		if e.reason == "release.Reason" {
			reasons = waits(t)
		}
		for _, reason := range reasons {
			known = append(known, line(t, constants, e, reason))
		}
	}
	slices.Sort(known)
	var listed []string
	for heading, object := range map[string]string{"On a DatabaseSchema": "schema", "On a pod": "pod"} {
		for _, r := range tables(t, p, heading) {
			listed = append(listed, told(t, p, object, r))
		}
	}
	differ(t, p, "event", slices.Compact(known), listed)
}

// told is an event as the page has it, in the form of line.
func told(t *testing.T, p *pages.Page, object string, r row) string {
	t.Helper()
	kind, action := strings.Trim(r[1], "`"), strings.Trim(r[2], "`")
	if strings.Contains(r[1], ";") {
		kind = "kind"
	}
	if strings.Contains(action, " ") {
		action = "next.Action"
	}
	if object == "pod" && action == "Wait" {
		want := "Normal"
		if r[0] == "`UnknownAppVersion`" {
			want = "Warning"
		}
		if kind != want {
			t.Errorf("%s: the type of %s is %s, want %s", p.Path, r[0], kind, want)
		}
		kind = "kind"
	}
	return strings.Join([]string{object, kind, strings.Trim(r[0], "`"), action}, " ")
}

// TestActions: the page has every action.
func TestActions(t *testing.T) {
	t.Parallel()
	p := pages.All(t)["docs/reference/events.md"]
	_, actions := values(t)
	var listed []string
	for _, r := range tables(t, p, "Actions") {
		for _, match := range code.FindAllStringSubmatch(r[0], -1) {
			listed = append(listed, match[1])
		}
	}
	differ(t, p, "action", actions, listed)
}

// line is an event as the page would have it.
func line(t *testing.T, values map[string]string, e emission, reason string) string {
	t.Helper()
	kind, action := e.kind, strings.TrimSuffix(strings.TrimPrefix(e.action, "string("), ")")
	if kind != "kind" {
		kind = values[kind]
	}
	if action != "next.Action" {
		action = values[action]
	}
	text := values[reason]
	if text == "" {
		text = strings.Trim(spoken[reason], "`")
	}
	if kind == "" || action == "" || text == "" {
		t.Errorf("an event has the type %s, the reason %s and the action %s, and this test does not know what that is", e.kind, reason, e.action)
	}
	return strings.Join([]string{e.regarding, kind, text, action}, " ")
}
