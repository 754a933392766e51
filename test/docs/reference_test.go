package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

// TestLabelsAndAnnotations: every name below our group that the code has is on the
// page, and the page has no other one.
func TestLabelsAndAnnotations(t *testing.T) {
	t.Parallel()
	page := strings.Join(pages.All(t)["docs/reference/labels-and-annotations.md"].Lines, "\n")
	known := names(t, "api/v1alpha1", "internal/naming", "internal/migrationjob")
	if len(known) < 10 {
		t.Fatalf("only %d names were found", len(known))
	}
	for name := range known {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("the page lacks %s", name)
		}
	}
	for part := range strings.SplitSeq(page, "`") {
		if strings.HasPrefix(part, v1alpha1.GroupName+"/") && !known[part] {
			t.Errorf("the page has %s, which the code does not", part)
		}
	}
}

// names are what is added to the name of our group anywhere in some packages.
func names(t *testing.T, packages ...string) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, dir := range packages {
		files, err := filepath.Glob(filepath.Join(apiserver.RepositoryRoot(), filepath.FromSlash(dir), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(node ast.Node) bool {
				if name := added(node); name != "" {
					known[v1alpha1.GroupName+name] = true
				}
				return true
			})
		}
	}
	return known
}

// added returns the text that begins with a slash and is added to something; empty
// where none is.
func added(node ast.Node) string {
	sum, ok := node.(*ast.BinaryExpr)
	if !ok || sum.Op != token.ADD {
		return ""
	}
	literal, ok := sum.Y.(*ast.BasicLit)
	if !ok || !strings.HasPrefix(literal.Value, `"/`) {
		return ""
	}
	name, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return name
}
