package runbook_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/runbook"
)

// needNone are reasons about which there is nothing to do.
var needNone = []string{"UpToDate", "NoWorkload", "Serving", "Succeeded", "GateEnforced"}

// ofAlerts are sections about what no reason tells: the operator itself.
var ofAlerts = []string{"OperatorDown"}

var parts = []string{"**What it means.**", "**How to look.**", "**What to do.**", "**What not to do.**"}

// reasons returns the string constants of a file whose names begin with Reason,
// or that are of the block of reasons to wait.
func reasons(t *testing.T, path ...string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(append([]string{"..", ".."}, path...)...), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, declaration := range file.Decls {
		block, ok := declaration.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		waiting := strings.HasPrefix(block.Doc.Text(), "Reasons of Waiting.")
		for _, spec := range block.Specs {
			value, ok := spec.(*ast.ValueSpec)
			if !ok || len(value.Values) != 1 || !waiting && !strings.HasPrefix(value.Names[0].Name, "Reason") {
				continue
			}
			literal, ok := value.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if text != "ContainerCreating" { // nothing is known to be wrong
				out = append(out, text)
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("%v has no reasons", path)
	}
	return out
}

func checkSection(t *testing.T, name, text string) {
	t.Helper()
	at := 0
	for _, part := range parts {
		next := strings.Index(text, part)
		if next < at || strings.Count(text, part) != 1 {
			t.Errorf("%s: %s is missing, or not in its place", name, part)
		}
		at = max(at, next)
	}
	if strings.Count(text, "```") != 2 {
		t.Errorf("%s does not say how to look", name)
	}
}

// TestRunbooks: every reason has a section of four parts, in order, and is in the
// index; and the index leads to sections.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbooks", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(content), "\n## ")
	index := sections[0]
	var names []string
	for _, section := range sections[1:] {
		name, text, _ := strings.Cut(section, "\n")
		names = append(names, name)
		checkSection(t, name, text)
		if _, anchor, _ := strings.Cut(runbook.URL(name), "#"); !strings.Contains(index, "["+name+"](#"+anchor+")") {
			t.Errorf("%s is not in the index", name)
		}
	}
	if !slices.IsSortedFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }) {
		t.Error("the sections are not sorted")
	}
	for _, link := range regexp.MustCompile(`\[(\w+)\]\(#(\w+)\)`).FindAllStringSubmatch(string(content), -1) {
		if !slices.Contains(names, link[1]) || "#"+link[2] != strings.TrimPrefix(runbook.URL(link[1]), runbook.Base) {
			t.Errorf("%s leads nowhere", link[0])
		}
	}
	wanted := slices.Concat(reasons(t, "api", "v1alpha1", "conditions.go"), reasons(t, "internal", "migrate", "result", "reason.go"),
		reasons(t, "internal", "migrationjob", "read.go"), ofAlerts)
	for _, reason := range wanted {
		if !slices.Contains(names, reason) && !slices.Contains(needNone, reason) {
			t.Errorf("there is no runbook for %s", reason)
		}
	}
	for _, name := range names {
		if !slices.Contains(wanted, name) {
			t.Errorf("%s is no reason", name)
		}
	}
}
