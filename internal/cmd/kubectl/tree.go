package kubectl

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// style is how a text stands out on a terminal.
type style string

// The styles, as terminals know them. Text says the same without.
const (
	plain  style = ""
	bold   style = "1"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	faint  style = "2"
)

// cell is a text with its style.
type cell struct {
	text  string
	style style
}

// node is a line of a tree: its cells stand below those of its siblings.
type node struct {
	cells    []cell
	children []node
}

// line makes a node of plain cells.
func line(texts ...string) node {
	n := node{}
	for _, text := range texts {
		n.cells = append(n.cells, cell{text: text})
	}
	return n
}

// styled returns the node with the style of one of its cells.
func (n node) styled(index int, s style) node {
	n.cells[index].style = s
	return n
}

// painter writes with styles, or without.
type painter struct{ colors bool }

// newPainter has colors on a terminal only, and not where NO_COLOR is set
// (no-color.org) or the terminal cannot show them.
func (s *session) newPainter(w io.Writer) painter {
	return painter{colors: s.terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p painter) paint(c cell) string {
	if !p.colors || c.style == plain || c.text == "" {
		return c.text
	}
	return "\x1b[" + string(c.style) + "m" + c.text + "\x1b[0m"
}

// tree writes a root and what is below it.
func (p painter) tree(w io.Writer, root node) {
	printf(w, "%s\n", p.row(root.cells, nil))
	p.branches(w, "", root.children)
}

func (p painter) branches(w io.Writer, indent string, nodes []node) {
	widths := columns(nodes)
	for i, n := range nodes {
		branch, below := "├─ ", "│  "
		if i == len(nodes)-1 {
			branch, below = "└─ ", "   "
		}
		printf(w, "%s%s%s\n", indent, branch, p.row(n.cells, widths))
		p.branches(w, indent+below, n.children)
	}
}

// columns measures all cells but the last one of each line.
func columns(nodes []node) []int {
	var widths []int
	for _, n := range nodes {
		for i := range max(0, len(n.cells)-1) {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(n.cells[i].text))
		}
	}
	return widths
}

func (p painter) row(cells []cell, widths []int) string {
	var b strings.Builder
	for i, c := range cells {
		b.WriteString(p.paint(c))
		if i == len(cells)-1 {
			break
		}
		pad := 0
		if i < len(widths) {
			pad = widths[i] - utf8.RuneCountInString(c.text)
		}
		b.WriteString(strings.Repeat(" ", pad+2))
	}
	return strings.TrimRight(b.String(), " ")
}

// table writes rows below a head, all columns aligned.
func (p painter) table(w io.Writer, head []string, rows []node) {
	widths := columns(append([]node{line(head...)}, rows...))
	printf(w, "%s\n", p.row(line(head...).cells, widths))
	for _, r := range rows {
		printf(w, "%s\n", p.row(r.cells, widths))
	}
}

// counted is "1 pod" or "2 pods".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
