package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Question is what is known about a database that was not made by schemagate,
// besides its catalog.
type Question struct {
	// Births are those that the database can have, the likeliest first.
	Births []bundle.Birth
	// Stamp is the revision that the application's own tables tell, 0 if they
	// tell none that is known.
	Stamp int
	// Forced is the only revision that comes into question; 0 for any. Somebody
	// vouches for its data then, so nothing is asked of Adds.
	Forced int
	// Adds reports whether a revision only adds what is empty at first, so that a
	// database that has its tables and columns has all of it.
	Adds func(version int) bool
	// Initial is what added columns hold.
	Initial Initial
}

// Position is a revision that a database can be taken for.
type Position struct {
	// Birth and Version are the catalog that was compared.
	Birth   bundle.Birth
	Version int
	// Repair completes the database.
	Repair Repair
	// Extra are objects that nothing is known about.
	Extra []string
	// Empty says which of the additions are empty though a revision would have
	// filled them, a line each. Unless somebody vouches for the revision, they
	// are among the reasons against it.
	Empty []string
	// Unfit says why the database cannot be taken for this revision, a line each.
	Unfit []string
}

// Fits reports whether the database can be taken for the revision, after the
// repair.
func (p Position) Fits() bool { return len(p.Unfit) == 0 }

// Exact reports whether it can without one.
func (p Position) Exact() bool { return p.Fits() && len(p.Repair.Additions) == 0 }

// Nearest returns the revision that a catalog is nearest to: the one that lacks
// least of those that fit, and of equals the one nearest to the stamp, or the
// oldest without one. If none fits, it returns the one with the fewest reasons
// against it. found is false if no revision came into question.
func (s *Set) Nearest(got *Catalog, q Question) (best Position, found bool) {
	for _, birth := range q.Births {
		l := newLocator(s.engines[got.Engine][birth], got, q)
		for _, version := range slices.Sorted(maps.Keys(l.history)) {
			if q.Forced != 0 && version != q.Forced {
				continue
			}
			p := l.position(version)
			p.Birth = birth
			if !found || p.compare(best, q.Stamp) < 0 {
				best, found = p, true
			}
		}
	}
	return best, found
}

// compare is negative if p is to be preferred.
func (p Position) compare(o Position, stamp int) int {
	distance := func(p Position) int {
		if stamp == 0 {
			return p.Version
		}
		return max(p.Version-stamp, stamp-p.Version)
	}
	return cmp.Or(cmp.Compare(len(p.Unfit), len(o.Unfit)),
		cmp.Compare(len(p.Repair.Additions), len(o.Repair.Additions)),
		cmp.Compare(distance(p), distance(o)))
}

// locator compares a catalog with those of one birth.
type locator struct {
	Question
	history History
	got     *Catalog
	// having are the revisions whose catalogs have an object, in order.
	having map[string][]int
}

func newLocator(history History, got *Catalog, q Question) *locator {
	l := &locator{Question: q, history: history, got: got, having: map[string][]int{}}
	for _, version := range slices.Sorted(maps.Keys(history)) {
		for object := range history[version].objects() {
			l.having[object] = append(l.having[object], version)
		}
	}
	return l
}

// position compares with the catalog of one revision.
func (l *locator) position(version int) Position {
	want := l.history[version]
	p := Position{Version: version, Repair: PlanRepair(want, l.got, l.Initial)}
	p.Unfit = slices.Clone(p.Repair.Refused)
	for _, extra := range Compare(want, l.got).Extra {
		switch before, after := l.around(extra, version); {
		case after > 0:
			p.Unfit = append(p.Unfit, fmt.Sprintf("%s is there already, which revision %d brings", extra, after))
		case before > 0:
			p.Unfit = append(p.Unfit, fmt.Sprintf("%s is still there, which revision %d removes", extra, before+1))
		default:
			p.Extra = append(p.Extra, extra)
		}
	}
	for _, a := range p.Repair.Additions {
		if at := l.introduced(a, version); at > 0 && !l.Adds(at) {
			p.Empty = append(p.Empty, fmt.Sprintf("%s is missing, and revision %d, which brings it, fills it as well", a.Object, at))
		}
	}
	if l.Forced != 0 {
		return p
	}
	if l.Stamp == 0 {
		p.Unfit = append(p.Unfit, tooLittle(want, p.Repair)...)
	}
	p.Unfit = append(p.Unfit, p.Empty...)
	for v := l.Stamp + 1; l.Stamp > 0 && v <= version; v++ {
		if !l.Adds(v) {
			p.Unfit = append(p.Unfit, fmt.Sprintf(
				"the tables are those of revision %d, but the version says %d, so what it does to rows may not be finished", v, l.Stamp))
		}
	}
	return p
}

// tooLittle keeps a database that nothing says is the application's from being
// filled with its tables.
func tooLittle(want *Catalog, repair Repair) []string {
	missing := 0
	for _, a := range repair.Additions {
		if a.Table != "" && a.Column == "" {
			missing++
		}
	}
	if 2*missing < len(want.Tables) {
		return nil
	}
	return []string{fmt.Sprintf("only %d of %d tables are there", len(want.Tables)-missing, len(want.Tables))}
}

// objects returns the objects of a catalog in the words of Difference.Extra.
func (c *Catalog) objects() map[string]bool {
	out := map[string]bool{}
	for name, t := range c.Tables {
		table := "table " + name
		out[table] = true
		for _, column := range t.Columns {
			out[table+": column "+column.Name] = true
		}
		for _, i := range t.Indexes {
			if i.Name != "" {
				out[table+": index "+i.Name] = true
			}
		}
	}
	for _, s := range c.Sequences {
		out["sequence "+s.Name] = true
	}
	for _, v := range c.Views {
		out["view "+v.Name] = true
	}
	return out
}

// around returns the last revision before a version and the first one after it
// whose catalogs have an object, 0 for none.
func (l *locator) around(object string, version int) (before, after int) {
	for _, v := range l.having[object] {
		if v < version {
			before = v
		} else if v > version && after == 0 {
			after = v
		}
	}
	return before, after
}

// introduced returns the revision that brings a table or a column which the
// catalog of a version has; 0 for other objects.
func (l *locator) introduced(a Addition, version int) int {
	object := "table " + a.Table
	if a.Column != "" {
		object += ": column " + a.Column
	}
	if a.Table == "" {
		return 0
	}
	for slices.Contains(l.having[object], version-1) {
		version--
	}
	return version
}
