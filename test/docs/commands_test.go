package docs_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	helm "helm.sh/helm/v4/pkg/cmd"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"mvdan.cc/sh/v3/syntax"

	"github.com/schemagate/schemagate/internal/cmd/root"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

// programs are what a page may call, each with how its calls are checked here. The
// tests that run the pages find out about the others.
var programs = map[string]func(args []string) error{
	"schemagate":     ours,
	"bin/schemagate": ours,
	"kubectl":        cluster,
	"helm":           chart,
	"make":           target,
	"go":             unchecked,
	"psql":           unchecked,
	"pg_dump":        unchecked,
	"sqlite3":        unchecked,
	"curl":           unchecked,
	"argocd":         unchecked, // its module is too much to be a dependency
	"sha256sum":      unchecked,
	"date":           unchecked,
	"head":           unchecked,
	"grep":           unchecked,
	"tail":           unchecked,
	"base64":         unchecked,
	"install":        unchecked,
	"ln":             unchecked,
}

func unchecked([]string) error { return nil }

// ours looks a call up among our own commands.
func ours(args []string) error {
	cmd, rest := root.ForProgram(append([]string{"schemagate"}, args...))
	return known(cmd, rest)
}

// cluster looks a call of kubectl up: ours as a plugin, and kubectl's own.
func cluster(args []string) error {
	if i := slices.Index(args, "schemagate"); i == 0 {
		cmd, rest := root.ForProgram(append([]string{"kubectl-schemagate"}, args[1:]...))
		return known(cmd, rest)
	}
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: io.Discard, ErrOut: io.Discard}
	return known(kubectl.NewKubectlCommand(kubectl.KubectlOptions{IOStreams: streams}), args)
}

func chart(args []string) error {
	cmd, err := helm.NewRootCmd(io.Discard, nil, func(bool) {})
	if err != nil {
		return err
	}
	return known(cmd, args)
}

// known looks a call up in a tree of commands, and its flags among those that the
// command has.
func known(tree *cobra.Command, args []string) error {
	cmd, rest, err := tree.Find(args)
	if err != nil {
		return err
	}
	if cmd == tree && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("there is no command %q", args[0])
	}
	if cmd.DisableFlagParsing {
		return nil
	}
	return cmd.ParseFlags(rest)
}

// target looks up what make is asked for.
func target(args []string) error {
	makefile, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), "Makefile"))
	if err != nil {
		return err
	}
	for _, arg := range args {
		if strings.Contains(arg, "=") {
			continue
		}
		if !regexp.MustCompile(`(?m)^(?:[a-z0-9-]+ )*` + regexp.QuoteMeta(arg) + `(?: [a-z0-9-]+)*:`).Match(makefile) {
			return fmt.Errorf("there is no target %q", arg)
		}
	}
	return nil
}

// TestCommands parses every block for a shell, and looks up every call in it.
func TestCommands(t *testing.T) {
	t.Parallel()
	calls, used := 0, map[string]bool{}
	for _, p := range pages.All(t) {
		for _, b := range p.Blocks {
			if b.Language != "console" && b.Language != "shell" {
				continue
			}
			parsed, err := syntax.NewParser(syntax.KeepComments(false)).Parse(strings.NewReader(b.Text), b.Page)
			if err != nil {
				t.Errorf("%s:%d: %v", b.Page, b.Line, err)
				continue
			}
			syntax.Walk(parsed, func(node syntax.Node) bool {
				call, ok := node.(*syntax.CallExpr)
				if !ok || len(call.Args) == 0 {
					return true
				}
				calls++
				args := words(call.Args)
				check := programs[args[0]]
				used[args[0]] = true
				if check == nil {
					t.Errorf("%s:%d: nobody checks calls of %q", b.Page, b.Line, args[0])
				} else if err := check(args[1:]); err != nil {
					t.Errorf("%s:%d: %s: %v", b.Page, b.Line, strings.Join(args, " "), err)
				}
				return true
			})
		}
	}
	if calls < 150 {
		t.Errorf("only %d calls were checked", calls)
	}
	for name := range programs {
		if !used[name] {
			t.Errorf("no page calls %s any more: take it from the list", name)
		}
	}
}

// words are the arguments of a call, with something in place of what the shell
// would put in.
func words(args []*syntax.Word) []string {
	var out []string
	for _, arg := range args {
		var text strings.Builder
		for _, part := range arg.Parts {
			write(&text, part)
		}
		out = append(out, text.String())
	}
	return out
}

func write(text *strings.Builder, part syntax.WordPart) {
	switch part := part.(type) {
	case *syntax.Lit:
		text.WriteString(part.Value)
	case *syntax.SglQuoted:
		text.WriteString(part.Value)
	case *syntax.DblQuoted:
		for _, inner := range part.Parts {
			write(text, inner)
		}
	default:
		text.WriteString("1")
	}
}
