// Package docs_test keeps the documentation true: its links lead somewhere, its
// manifests are accepted by an API server, and its commands exist, with the flags
// that they are given.
package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
	"github.com/schemagate/schemagate/internal/testing/pages"
)

// own leads to the repository by its address.
var own = regexp.MustCompile(`^https://github\.com/schemagate/schemagate/(?:blob|tree)/main/`)

// TestLinks follows every link that leads to a file of the repository, and to a
// heading in one.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages.All(t)
	checked := 0
	for _, p := range all {
		for _, match := range pages.Link.FindAllStringSubmatch(strings.Join(p.Lines, "\n"), -1) {
			target := match[2]
			if rest := own.ReplaceAllString(target, ""); rest != target {
				target = "/" + rest
			}
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			checked++
			if problem := follow(all, p, target); problem != "" {
				t.Errorf("%s: the link to %s: %s", p.Path, match[2], problem)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were checked", checked)
	}
}

func follow(all map[string]*pages.Page, from *pages.Page, target string) string {
	file, at, _ := strings.Cut(target, "#")
	switch {
	case file == "":
		file = from.Path
	case strings.HasPrefix(file, "/"):
		file = strings.TrimPrefix(file, "/")
	default:
		file = path.Join(path.Dir(from.Path), file)
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
	if !slices.Contains(to.Anchors, at) {
		return "there is no such heading; there are " + strings.Join(to.Anchors, ", ")
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
	for _, p := range pages.All(t) {
		for _, b := range p.Blocks {
			seen[b.Language] = true
			if languages[b.Language] == "" {
				t.Errorf("%s:%d: the language of the block is %q: use one of those that are checked, or text", b.Page, b.Line, b.Language)
			}
		}
	}
	for language := range languages {
		if !seen[language] {
			t.Errorf("no page has a block in %s", language)
		}
	}
}
