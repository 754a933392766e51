package recorded

import (
	"cmp"
	"fmt"
	"slices"
)

// maxTries bounds the search for a pairing that the tokens agree with. Records
// are small and most rows can be told apart, so it takes a few tries per row.
const maxTries = 100_000

// token is a token in a recorded row.
type token struct{ column, name string }

func tokensOf(row Row) []token {
	var tokens []token
	for column, cell := range row {
		if v, ok := cell.(Volatile); ok && v.Kind == VolatileUUID {
			tokens = append(tokens, token{column: column, name: v.Token})
		}
	}
	slices.SortFunc(tokens, func(a, b token) int { return cmp.Compare(a.column, b.column) })
	return tokens
}

// assignTokens pairs recorded with live rows so that tokens and values match
// one to one, and reports where that cannot be done.
func assignTokens(rows []candidates) []string {
	a := &assignment{
		rows:    rows,
		done:    make([]bool, len(rows)),
		used:    map[string]map[int]bool{},
		values:  map[string]string{},
		tokens:  map[string]string{},
		deepest: -1,
	}
	for _, r := range rows {
		a.used[r.table] = map[int]bool{}
	}
	if a.solve(0) {
		return nil
	}
	return []string{a.problem}
}

// assignment is a search in progress.
type assignment struct {
	rows []candidates
	done []bool
	// used are the live rows that are taken, by table.
	used map[string]map[int]bool
	// values maps tokens to values, tokens the other way.
	values, tokens map[string]string
	tries          int
	// deepest is how many rows were paired when the search got farthest, and
	// problem what ended it there.
	deepest int
	problem string
}

// solve pairs the rows that are left, of which depth is how many are not.
func (a *assignment) solve(depth int) bool {
	if depth == len(a.rows) {
		return true
	}
	next, options := a.tightest()
	if len(options) == 0 && depth > a.deepest {
		a.deepest = depth
		a.problem = a.conflict(a.rows[next])
	}
	row := a.rows[next]
	for _, j := range options {
		if a.tries++; a.tries > maxTries {
			if a.problem == "" {
				a.problem = "no pairing of rows was found that the tokens agree with"
			}
			return false
		}
		added, _ := a.bind(row, row.live[j])
		a.done[next], a.used[row.table][j] = true, true
		if a.solve(depth + 1) {
			return true
		}
		a.done[next] = false
		delete(a.used[row.table], j)
		a.release(added)
	}
	return false
}

// tightest returns the row that is left with the fewest candidates.
func (a *assignment) tightest() (next int, options []int) {
	next = -1
	for i, row := range a.rows {
		if a.done[i] {
			continue
		}
		open := a.open(row)
		if next < 0 || len(open) < len(options) {
			next, options = i, open
		}
		if len(options) <= 1 {
			break // there is no choice
		}
	}
	return next, options
}

// open returns the candidates of a row that are free and that its tokens agree
// with.
func (a *assignment) open(row candidates) []int {
	var open []int
	for _, j := range row.rows {
		if a.used[row.table][j] {
			continue
		}
		added, problem := a.bind(row, row.live[j])
		a.release(added)
		if problem == "" {
			open = append(open, j)
		}
	}
	return open
}

// bind gives the tokens of a recorded row the values of a live one. It returns
// the tokens that had none before, and what is wrong if that contradicts what
// other tokens and values are.
func (a *assignment) bind(row candidates, got Row) (added []string, problem string) {
	for _, t := range row.tokens {
		value, _ := got[t.column].(string)
		old, bound := a.values[t.name]
		other, taken := a.tokens[value]
		switch {
		case bound && old != value:
			return added, fmt.Sprintf("%s: token %s is another value elsewhere", t.column, t.name)
		case taken && other != t.name:
			return added, fmt.Sprintf("%s: the value of token %s is that of token %s, too", t.column, t.name, other)
		case !bound:
			a.values[t.name], a.tokens[value] = value, t.name
			added = append(added, t.name)
		}
	}
	return added, ""
}

func (a *assignment) release(tokens []string) {
	for _, token := range tokens {
		delete(a.tokens, a.values[token])
		delete(a.values, token)
	}
}

// conflict says why no candidate of a row is left.
func (a *assignment) conflict(row candidates) string {
	for _, j := range row.rows {
		added, problem := a.bind(row, row.live[j])
		a.release(added)
		if problem != "" {
			return fmt.Sprintf("table %s: row %s: %s", row.table, describe(row.want), problem)
		}
	}
	return fmt.Sprintf("table %s: row %s: all rows like it are taken", row.table, describe(row.want))
}
