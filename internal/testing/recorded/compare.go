package recorded

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Compare returns how a live database differs from a recorded one, in sentences
// for a test's log, or nothing if it does not. The order of rows and columns,
// the spelling of JSON and the names of tokens have no meaning; everything else
// has: JSON null is not SQL NULL, and 1 is neither 1.0 nor "1" nor true.
func Compare(want, got Database) []string {
	got.sortUnordered(want.Unordered)
	var differences []string
	var pairs []candidates
	for _, table := range tableNames(want, got) {
		if _, ok := got.Tables[table]; !ok {
			differences = append(differences, fmt.Sprintf("table %s: missing", table))
			continue
		}
		if _, ok := want.Tables[table]; !ok {
			differences = append(differences, fmt.Sprintf("table %s: unexpected, with %d rows", table, len(got.Tables[table])))
			continue
		}
		found, problems := compareTable(table, want.Tables[table], got)
		differences = append(differences, problems...)
		pairs = append(pairs, found...)
	}
	if len(differences) > 0 {
		return differences
	}
	return assignTokens(pairs)
}

func tableNames(want, got Database) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(want.Tables)), maps.Keys(got.Tables))
	slices.Sort(names)
	return slices.Compact(names)
}

// candidates are the live rows that a recorded row may be, as far as can be
// seen without its tokens.
type candidates struct {
	table  string
	want   Row
	tokens []token // those of want
	rows   []int   // indexes of live
	live   []Row
}

// compareTable finds every recorded row's candidates, and reports rows that
// cannot be paired.
func compareTable(table string, want []Row, got Database) ([]candidates, []string) {
	live := got.Tables[table]
	all := make([]candidates, len(want))
	for i, row := range want {
		all[i] = candidates{table: table, want: row, tokens: tokensOf(row), live: live}
		for j := range live {
			if len(differing(row, live[j], got)) == 0 {
				all[i].rows = append(all[i].rows, j)
			}
		}
	}
	return all, unpaired(table, all, got)
}

// unpaired pairs as many rows as can be and reports the others, each with the
// live row that is the most like it.
func unpaired(table string, all []candidates, got Database) []string {
	pairing := pair(all)
	var left []int
	for j := range got.Tables[table] {
		if _, ok := pairing[j]; !ok {
			left = append(left, j)
		}
	}
	paired := map[int]bool{}
	for _, i := range pairing {
		paired[i] = true
	}
	var problems []string
	for i, c := range all {
		if paired[i] {
			continue
		}
		if len(left) == 0 {
			problems = append(problems, fmt.Sprintf("table %s: missing row %s", table, describe(c.want)))
			continue
		}
		nearest := slices.MinFunc(left, func(a, b int) int {
			return len(differing(c.want, c.live[a], got)) - len(differing(c.want, c.live[b], got))
		})
		left = slices.DeleteFunc(left, func(j int) bool { return j == nearest })
		problems = append(problems, explain(table, c.want, c.live[nearest], got))
	}
	for _, j := range left {
		problems = append(problems, fmt.Sprintf("table %s: unexpected row %s", table, describe(got.Tables[table][j])))
	}
	return problems
}

// pair returns a greatest pairing of recorded and live rows, by live row: one
// path of exchanges after another.
func pair(all []candidates) map[int]int {
	owner := map[int]int{}
	var place func(i int, tried map[int]bool) bool
	place = func(i int, tried map[int]bool) bool {
		for _, j := range all[i].rows {
			if tried[j] {
				continue
			}
			tried[j] = true
			if other, taken := owner[j]; !taken || place(other, tried) {
				owner[j] = i
				return true
			}
		}
		return false
	}
	for i := range all {
		place(i, map[int]bool{})
	}
	return owner
}

// explain says in which columns two rows differ.
func explain(table string, want, got Row, live Database) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s: row %s differs", table, describe(want))
	for _, name := range differing(want, got, live) {
		fmt.Fprintf(&b, "\n  %s: want %s, got %s", name, show(want, name), show(got, name))
	}
	return b.String()
}

// differing returns the columns in which a live row cannot be a recorded one.
func differing(want, got Row, live Database) []string {
	var columns []string
	for name, w := range want {
		if g, ok := got[name]; !ok || !matches(w, g, live) {
			columns = append(columns, name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			columns = append(columns, name)
		}
	}
	slices.Sort(columns)
	return columns
}
