package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/cmd/root"
)

// TestReference: the page is what the commands say.
func TestReference(t *testing.T) {
	t.Parallel()
	have, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "reference", "flags.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(reference(root.NewCmd())), string(have)); diff != "" {
		t.Errorf("docs/reference/flags.md is not what the commands say; run make generate (-commands +page):\n%s", diff)
	}
}

// TestEnvironment: every variable that a command reads by its name is on the page.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	var read []string
	constants := map[string]string{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok {
				for i, value := range spec.Values {
					constants[spec.Names[i].Name] = text(value)
				}
			}
			if variable := readBy(node); variable != "" {
				read = append(read, variable)
			}
			return true
		})
	}
	if len(read) < 5 {
		t.Fatalf("only %q are read", read)
	}
	for _, variable := range read {
		if value := constants[variable]; value != "" {
			variable = value
		}
		if !strings.Contains(environment, "`"+variable+"`") && !strings.Contains(environment, "`"+variable+"=") {
			t.Errorf("the page lacks the environment variable %s", variable)
		}
	}
}

// sources are the files of all commands.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	var out []*ast.File
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		out = append(out, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readBy is the variable that a call reads, or the constant that names it; empty where
// it reads none.
func readBy(node ast.Node) string {
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return ""
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || function.Sel.Name != "Getenv" && function.Sel.Name != "LookupEnv" {
		return ""
	}
	return name(call.Args[0])
}

// name is the text of a literal, or the name of a constant.
func name(expression ast.Expr) string {
	if identifier, ok := expression.(*ast.Ident); ok {
		return identifier.Name
	}
	return text(expression)
}

func text(expression ast.Expr) string {
	literal, ok := expression.(*ast.BasicLit)
	if !ok {
		return ""
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return value
}
