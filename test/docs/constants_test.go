package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

// constant is a constant of the code.
type constant struct {
	name, value string
	// block is the comment on the block of constants that it is in.
	block string
}

// constants returns the constants of a file that are literals.
func constants(t *testing.T, path string) []constant {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(apiserver.RepositoryRoot(), filepath.FromSlash(path)), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var out []constant
	for _, declaration := range file.Decls {
		block, ok := declaration.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		for _, spec := range block.Specs {
			value, ok := spec.(*ast.ValueSpec)
			if !ok || len(value.Values) != 1 {
				continue
			}
			literal, ok := value.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			text := literal.Value
			if literal.Kind == token.STRING {
				if text, err = strconv.Unquote(text); err != nil {
					t.Fatal(err)
				}
			}
			out = append(out, constant{value.Names[0].Name, text, block.Doc.Text()})
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no constants", path)
	}
	return out
}

// row is a line of a table: what its cells say.
type row []string

// tables returns the rows of the tables below a heading of a page, without their
// heads, up to the next heading.
func tables(t *testing.T, p *pages.Page, heading string) []row {
	t.Helper()
	var out []row
	in, seen := false, false
	for i, line := range p.Lines {
		switch {
		case strings.HasPrefix(line, "#"):
			in = strings.TrimSpace(strings.TrimLeft(line, "#")) == heading
			seen = seen || in
		case !in || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---"):
		case i+1 < len(p.Lines) && strings.HasPrefix(p.Lines[i+1], "| ---"):
		default:
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			for j := range cells {
				cells[j] = strings.TrimSpace(cells[j])
			}
			out = append(out, cells)
		}
	}
	if !seen || len(out) == 0 {
		t.Fatalf("%s has no table below %q", p.Path, heading)
	}
	return out
}

// code is what a page has in the type of a machine.
var code = regexp.MustCompile("`([^`]+)`")

// differ says what a page lacks, and what it has that the code has not.
func differ(t *testing.T, p *pages.Page, what string, known, listed []string) {
	t.Helper()
	for _, name := range known {
		switch n := count(listed, name); n {
		case 0:
			t.Errorf("%s lacks the %s %s", p.Path, what, name)
		case 1:
		default:
			t.Errorf("%s has the %s %s %d times", p.Path, what, name, n)
		}
	}
	for _, name := range listed {
		if !slices.Contains(known, name) {
			t.Errorf("%s has the %s %s, which the code has not", p.Path, what, name)
		}
	}
}

func count(in []string, name string) int {
	n := 0
	for _, other := range in {
		if other == name {
			n++
		}
	}
	return n
}

// runbookLink is a link from a page of the reference to the runbook of a reason.
var runbookLink = regexp.MustCompile(`\[(\w+)\]\(\.\./runbooks/README\.md#(\w+)\)`)

// TestExitCodes: the page has every code with its outcome, and every reason at the
// code that it has.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	p := pages.All(t)["docs/reference/exit-codes.md"]
	var codes, listed []string
	for _, c := range constants(t, "internal/migrate/result/result.go") {
		if strings.HasPrefix(c.name, "Exit") {
			codes = append(codes, c.value)
		}
	}
	reasons := map[string][]string{} // by code
	for _, r := range tables(t, p, "Of the commands for a database") {
		if len(r) == 2 {
			for _, match := range runbookLink.FindAllStringSubmatch(r[1], -1) {
				reasons[r[0]] = append(reasons[r[0]], match[1])
			}
			continue
		}
		listed = append(listed, r[0])
		number, err := strconv.Atoi(r[0])
		if err != nil {
			t.Errorf("%q is no exit code", r[0])
		}
		if outcome, ok := result.FromExitCode(number); ok != (number != result.ExitDrift) || ok && string(outcome) != r[1] {
			t.Errorf("the page says that %d is %s, the code says %s", number, r[1], outcome)
		}
	}
	differ(t, p, "exit code", codes, listed)
	known := map[string][]string{}
	for _, c := range constants(t, "internal/migrate/result/reason.go") {
		outcome := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(c.block), "Reasons of "), "."))
		number := strconv.Itoa(result.Outcome(outcome).ExitCode())
		known[number] = append(known[number], c.value)
	}
	for _, number := range codes {
		differ(t, p, "reason of "+number, known[number], reasons[number])
	}
	var outcomes []string
	for _, r := range tables(t, p, "Of a migration Job") {
		if r[0] != "no result" {
			outcomes = append(outcomes, r[0])
		}
	}
	differ(t, p, "outcome of a Job", []string{"done", "usage", "transient", "permanent", "refused", "locked"}, outcomes)
}

// needNone are reasons that have no runbook, because there is nothing to do.
var needNone = []string{"UpToDate", "NoWorkload", "Serving", "Succeeded", "GateEnforced"}

// named returns the reason that a cell names: in a link to its runbook or, if it has
// none, as it is.
func named(t *testing.T, p *pages.Page, cell string) string {
	t.Helper()
	if match := runbookLink.FindStringSubmatch(cell); match != nil {
		if anchor := strings.ToLower(match[1]); match[2] != anchor {
			t.Errorf("%s: the link of %s leads to %s", p.Path, match[1], match[2])
		}
		return match[1]
	}
	match := code.FindStringSubmatch(cell)
	if match == nil {
		return ""
	}
	if !slices.Contains(needNone, match[1]) {
		t.Errorf("%s: %s has a runbook, and no link to it", p.Path, match[1])
	}
	return match[1]
}

// reasonsOf are the reasons that conditions may have: of the API, of migrations, and
// of pods that cannot start.
func reasonsOf(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, c := range slices.Concat(constants(t, "api/v1alpha1/conditions.go"), constants(t, "internal/migrate/result/reason.go")) {
		if strings.HasPrefix(c.name, "Reason") {
			out = append(out, c.value)
		}
	}
	for _, c := range constants(t, "internal/migrationjob/read.go") {
		if strings.HasPrefix(c.block, "Reasons of Waiting.") && c.value != "ContainerCreating" { // nothing is known to be wrong
			out = append(out, c.value)
		}
	}
	if len(out) < 70 {
		t.Fatalf("only %d reasons were found", len(out))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestConditionTypes: the page has every type.
func TestConditionTypes(t *testing.T) {
	t.Parallel()
	p := pages.All(t)["docs/reference/conditions.md"]
	var types, listed []string
	for _, c := range constants(t, "api/v1alpha1/conditions.go") {
		if strings.HasPrefix(c.name, "Condition") {
			types = append(types, c.value)
		}
	}
	for _, r := range tables(t, p, "Types") {
		listed = append(listed, strings.Trim(r[0], "`"))
	}
	differ(t, p, "type", types, listed)
}

// TestReasons: the page has every reason, and each of those of Ready once.
func TestReasons(t *testing.T) {
	t.Parallel()
	p := pages.All(t)["docs/reference/conditions.md"]
	var listed []string
	for _, heading := range []string{"At rest", "At work", "Waiting for something outside", "Waiting for an approval", "Stalled", "Reasons of migrations"} {
		for _, r := range tables(t, p, heading) {
			name := named(t, p, r[0])
			if slices.Contains(listed, name) {
				t.Errorf("%s has %s twice among the reasons of Ready", p.Path, name)
			}
			listed = append(listed, name)
		}
	}
	for _, heading := range []string{"Reasons of GateOpen", "Reasons of Drifted"} {
		for _, r := range tables(t, p, heading) {
			if r[1] != "that of `Ready`" {
				listed = append(listed, named(t, p, r[1]))
			}
		}
	}
	for _, r := range tables(t, p, "Reasons on no condition") {
		listed = append(listed, named(t, p, r[0]))
	}
	slices.Sort(listed)
	differ(t, p, "reason", reasonsOf(t), slices.Compact(listed))
}

// planned are the reasons after which the operator plans again.
var planned = []result.Reason{result.ReasonDowngrade, result.ReasonUnexpectedRevision, result.ReasonFencing, result.ReasonDestructive}

// TestFailures: the page says of the reasons of migrations what becomes of them.
func TestFailures(t *testing.T) {
	t.Parallel()
	p := pages.All(t)["docs/reference/conditions.md"]
	outcomes := map[string]string{}
	for _, c := range constants(t, "internal/migrate/result/reason.go") {
		outcomes[c.value] = strings.TrimSpace(c.block)
	}
	for _, r := range tables(t, p, "Reasons of migrations") {
		name, want := named(t, p, r[0]), "Stalled"
		switch outcome := outcomes[name]; {
		case outcome == "Reasons of Transient.", outcome == "Reasons of Locked.", name == string(result.ReasonInvalidURL):
			want = "tried again"
		case slices.Contains(planned, result.Reason(name)):
			want = "planned again"
		}
		if r[1] != want {
			t.Errorf("%s: %s is %q, want %q", p.Path, name, r[1], want)
		}
	}
}
