// Package docs_test keeps the documentation true: its links lead somewhere, its
// manifests are accepted by an API server, and its commands exist, with the flags
// that they are given.
package docs_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// page is a Markdown file of the repository.
type page struct {
	path   string // from the root of the repository
	lines  []string
	blocks []block
	// anchors are those of its headings.
	anchors []string
}

// block is a fenced block of a page.
type block struct {
	page     string
	line     int // of its first line, counted from 1
	language string
	text     string
}

// pages reads all pages that belong to the repository, committed or not.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	command.Dir = apiserver.RepositoryRoot()
	list, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*page{}
	for file := range strings.SplitSeq(strings.TrimSpace(string(list)), "\n") {
		content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		found[file] = parse(t, file, string(content))
	}
	if len(found) < 20 {
		t.Fatalf("only %d pages were found", len(found))
	}
	return found
}

var (
	fence   = regexp.MustCompile("^\\s*```\\s*(\\S*)")
	heading = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	anchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

func parse(t *testing.T, file, content string) *page {
	t.Helper()
	p := &page{path: file}
	var open *block
	for i, line := range strings.Split(content, "\n") {
		if match := fence.FindStringSubmatch(line); match != nil {
			if open == nil {
				open = &block{page: file, line: i + 2, language: match[1]}
				continue
			}
			p.blocks = append(p.blocks, *open)
			open = nil
			continue
		}
		if open != nil {
			open.text += line + "\n"
			continue
		}
		p.lines = append(p.lines, line)
		if match := heading.FindStringSubmatch(line); match != nil {
			p.anchors = append(p.anchors, slug(match[1], p.anchors))
		}
		for _, match := range anchor.FindAllStringSubmatch(line, -1) {
			p.anchors = append(p.anchors, match[1])
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block does not end", file, open.line)
	}
	return p
}

// slug is the anchor that GitHub gives a heading: lower case, without punctuation,
// with hyphens for spaces, and numbered where it is there already.
func slug(heading string, before []string) string {
	heading = link.ReplaceAllString(heading, "$1")
	var out strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			out.WriteRune(r)
		case r == ' ':
			out.WriteByte('-')
		}
	}
	name := out.String()
	for n := 1; slices.Contains(before, name); n++ {
		name = out.String() + "-" + string(rune('0'+n))
	}
	return name
}

// link is a Markdown link: its text and where it leads.
var link = regexp.MustCompile(`\[([^\]]*)\]\(([^()\s]+)\)`)

// own leads to the repository by its address.
var own = regexp.MustCompile(`^https://github\.com/schemagate/schemagate/(?:blob|tree)/main/`)

// TestLinks follows every link that leads to a file of the repository, and to a
// heading in one.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	checked := 0
	for _, p := range all {
		for _, match := range link.FindAllStringSubmatch(strings.Join(p.lines, "\n"), -1) {
			target := match[2]
			if rest := own.ReplaceAllString(target, ""); rest != target {
				target = "/" + rest
			}
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			checked++
			if problem := follow(all, p, target); problem != "" {
				t.Errorf("%s: the link to %s: %s", p.path, match[2], problem)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were checked", checked)
	}
}

func follow(all map[string]*page, from *page, target string) string {
	file, at, _ := strings.Cut(target, "#")
	switch {
	case file == "":
		file = from.path
	case strings.HasPrefix(file, "/"):
		file = strings.TrimPrefix(file, "/")
	default:
		file = path.Join(path.Dir(from.path), file)
	}
	info, err := os.Stat(filepath.Join(apiserver.RepositoryRoot(), filepath.FromSlash(file)))
	if err != nil {
		return "there is no such file"
	}
	if at == "" {
		return ""
	}
	if info.IsDir() {
		file = path.Join(file, "README.md")
	}
	to := all[file]
	if to == nil {
		return file + " is no page, so it has no headings"
	}
	if !slices.Contains(to.anchors, at) {
		return "there is no such heading; there are " + strings.Join(to.anchors, ", ")
	}
	return ""
}

// languages are those that something checks, or that need no check.
var languages = map[string]string{
	"yaml":    "manifests_test.go",
	"console": "commands_test.go",
	"shell":   "commands_test.go",
	"sql":     "statements, which are run by tests of the engine where they are more than a query",
	"text":    "what programs print",
	"mermaid": "pictures",
}

// TestLanguages: nobody checks a block whose language nobody knows.
func TestLanguages(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			seen[b.language] = true
			if languages[b.language] == "" {
				t.Errorf("%s:%d: the language of the block is %q: use one of those that are checked, or text", b.page, b.line, b.language)
			}
		}
	}
	for language := range languages {
		if !seen[language] {
			t.Errorf("no page has a block in %s", language)
		}
	}
}
