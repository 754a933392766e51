// Package pages reads the documentation for tests that keep it true.
package pages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/schemagate/schemagate/internal/testing/apiserver"
)

// Page is a Markdown file of the repository.
type Page struct {
	// Path is that from the root of the repository, with slashes.
	Path string
	// Lines are those outside of its blocks.
	Lines  []string
	Blocks []Block
	// Anchors are those of its headings, as GitHub makes them, and its own.
	Anchors []string
}

// Block is a fenced block of a page.
type Block struct {
	Page     string // its path
	Line     int    // of its first line, counted from 1
	Language string
	Text     string
}

// Shell reports whether a block is for a shell.
func (b *Block) Shell() bool { return b.Language == "console" || b.Language == "shell" }

// Shell returns the blocks for a shell.
func (p *Page) Shell() []Block {
	return slices.DeleteFunc(slices.Clone(p.Blocks), func(b Block) bool { return !b.Shell() })
}

// All reads all pages that belong to the repository, committed or not, by their paths.
func All(tb testing.TB) map[string]*Page {
	tb.Helper()
	command := exec.CommandContext(tb.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	command.Dir = apiserver.RepositoryRoot()
	list, err := command.Output()
	if err != nil {
		tb.Fatal(err)
	}
	found := map[string]*Page{}
	for file := range strings.SplitSeq(strings.TrimSpace(string(list)), "\n") {
		content, err := os.ReadFile(filepath.Join(apiserver.RepositoryRoot(), filepath.FromSlash(file)))
		if err != nil {
			tb.Fatal(err)
		}
		found[file] = parse(tb, file, string(content))
	}
	if len(found) < 20 {
		tb.Fatalf("only %d pages were found", len(found))
	}
	return found
}

var (
	fence   = regexp.MustCompile("^\\s*```\\s*(\\S*)")
	heading = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	anchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

func parse(tb testing.TB, file, content string) *Page {
	tb.Helper()
	p := &Page{Path: file}
	var open *Block
	for i, line := range strings.Split(content, "\n") {
		if match := fence.FindStringSubmatch(line); match != nil {
			if open == nil {
				open = &Block{Page: file, Line: i + 2, Language: match[1]}
				continue
			}
			p.Blocks = append(p.Blocks, *open)
			open = nil
			continue
		}
		if open != nil {
			open.Text += line + "\n"
			continue
		}
		p.Lines = append(p.Lines, line)
		if match := heading.FindStringSubmatch(line); match != nil {
			p.Anchors = append(p.Anchors, slug(match[1], p.Anchors))
		}
		for _, match := range anchor.FindAllStringSubmatch(line, -1) {
			p.Anchors = append(p.Anchors, match[1])
		}
	}
	if open != nil {
		tb.Errorf("%s:%d: the block does not end", file, open.Line)
	}
	return p
}

// Link is a Markdown link: its text and where it leads.
var Link = regexp.MustCompile(`\[([^\]]*)\]\(([^()\s]+)\)`)

// slug is the anchor that GitHub gives a heading: lower case, without punctuation,
// with hyphens for spaces, and numbered where it is there already.
func slug(heading string, before []string) string {
	heading = Link.ReplaceAllString(heading, "$1")
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
