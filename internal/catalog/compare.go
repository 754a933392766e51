package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is how a database differs from what it should be. Every item is
// one line that names the object first. Definitions are quoted from what it
// should be, never from what is there, so an item holds no more of a user's own
// objects than their names.
type Difference struct {
	// Missing are objects that should be there and are not.
	Missing []string
	// Changed are objects that are not as they should be. A constraint that a
	// table should not have is among them: it refuses what the application
	// writes.
	Changed []string
	// Extra are tables, columns, indexes, sequences and views that nothing is
	// known about. Users may have their own, so they are not drift.
	Extra []string
}

// Drift returns what is missing or changed.
func (d Difference) Drift() []string { return slices.Concat(d.Missing, d.Changed) }

// Empty reports whether there is no difference at all.
func (d Difference) Empty() bool { return len(d.Missing)+len(d.Changed)+len(d.Extra) == 0 }

// Compare returns how got differs from want. The order of columns does not
// matter, nor does how SQLite's definitions are spelled. The items are in a
// stable order, table by table.
func Compare(want, got *Catalog) Difference {
	if want.Engine != got.Engine {
		return Difference{Changed: []string{fmt.Sprintf("the engine is %s instead of %s", got.Engine, want.Engine)}}
	}
	c := &comparison{spell: want.speller()}
	for _, name := range names(want.Tables, got.Tables) {
		c.table = "table " + name
		w, g := want.Tables[name], got.Tables[name]
		switch {
		case g == nil:
			c.missing("%s is missing", c.table)
		case w == nil:
			c.extra("%s", c.table)
		default:
			c.compareTable(w, g)
		}
	}
	c.compareSequences(want.Sequences, got.Sequences)
	c.compareViews(want.Views, got.Views)
	return c.out
}

// names returns the keys of two maps in order.
func names[V any](a, b map[string]V) []string {
	all := slices.Sorted(maps.Keys(a))
	for name := range b {
		if _, ok := a[name]; !ok {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// comparison quotes definitions as they were written and compares them spelled
// in one way.
type comparison struct {
	spell func(string) string
	table string
	out   Difference
}

func (c *comparison) same(a, b string) bool { return c.spell(a) == c.spell(b) }

func (c *comparison) missing(format string, args ...any) {
	c.out.Missing = append(c.out.Missing, fmt.Sprintf(format, args...))
}

func (c *comparison) changed(format string, args ...any) {
	c.out.Changed = append(c.out.Changed, fmt.Sprintf(format, args...))
}

func (c *comparison) extra(format string, args ...any) {
	c.out.Extra = append(c.out.Extra, fmt.Sprintf(format, args...))
}

func (c *comparison) compareTable(want, got *Table) {
	c.compareColumns(want.Columns, got.Columns)
	c.comparePrimaryKeys(want.PrimaryKey, got.PrimaryKey)
	if want.Autoincrement != got.Autoincrement {
		c.changed("%s: it %s", c.table, yesNo(got.Autoincrement, "AUTOINCREMENT"))
	}
	c.compareConstraints("unique constraint", describeKeys(want.Unique), describeKeys(got.Unique))
	c.compareConstraints("foreign key", describeForeignKeys(want.ForeignKeys), describeForeignKeys(got.ForeignKeys))
	c.compareConstraints("check", c.describeChecks(want.Checks), c.describeChecks(got.Checks))
	c.compareIndexes(want, got)
}

func yesNo(is bool, what string) string {
	if is {
		return "is " + what + " and should not be"
	}
	return "is not " + what
}

func (c *comparison) compareColumns(want, got []Column) {
	gotByName := map[string]Column{}
	for _, column := range got {
		gotByName[column.Name] = column
	}
	for _, w := range want {
		if g, ok := gotByName[w.Name]; ok {
			c.compareColumn(w, g)
			delete(gotByName, w.Name)
		} else {
			c.missing("%s: column %s is missing (%s)", c.table, w.Name, describeColumn(w))
		}
	}
	for _, g := range got {
		if _, ok := gotByName[g.Name]; ok {
			c.extra("%s: column %s", c.table, g.Name)
		}
	}
}

func describeColumn(column Column) string {
	out := cmp.Or(column.Type, "no type")
	if column.NotNull {
		out += " NOT NULL"
	}
	if column.Default != "" {
		out += " DEFAULT " + column.Default
	}
	if column.Identity != "" {
		out += " GENERATED " + strings.ToUpper(column.Identity) + " AS IDENTITY"
	}
	if column.Generated != "" {
		out += " GENERATED ALWAYS AS (" + column.Generated + ")"
		if column.Stored {
			out += " STORED"
		}
	}
	return out
}

func (c *comparison) compareColumn(want, got Column) {
	// Types and NOT NULL are of a fixed kind; expressions may hold anything.
	if !c.same(want.Type, got.Type) {
		c.changed("%s: column %s is %s instead of %s", c.table, want.Name,
			cmp.Or(got.Type, "of no type"), cmp.Or(want.Type, "of no type"))
	}
	if want.NotNull != got.NotNull {
		c.changed("%s: column %s %s", c.table, want.Name, yesNo(got.NotNull, "NOT NULL"))
	}
	c.compareExpression(want.Name, "default", want.Default, got.Default)
	c.compareExpression(want.Name, "generation expression", want.Generated, got.Generated)
	if want.Identity != got.Identity {
		c.changed("%s: column %s is an identity %q instead of %q", c.table, want.Name, got.Identity, want.Identity)
	}
	if want.Stored != got.Stored && want.Generated != "" && got.Generated != "" {
		c.changed("%s: column %s %s", c.table, want.Name, yesNo(got.Stored, "STORED"))
	}
}

func (c *comparison) compareExpression(column, what, want, got string) {
	switch {
	case c.same(want, got):
	case want == "":
		c.changed("%s: column %s has a %s and should not", c.table, column, what)
	case got == "":
		c.changed("%s: column %s has no %s, it should be %s", c.table, column, what, want)
	default:
		c.changed("%s: column %s has another %s than %s", c.table, column, what, want)
	}
}

func (c *comparison) comparePrimaryKeys(want, got *Key) {
	switch {
	case want == nil && got == nil:
	case want == nil:
		c.changed("%s: it has a primary key %s and should not", c.table, describeKey(*got))
	case got == nil:
		c.missing("%s: primary key %s is missing", c.table, describeKey(*want))
	case describeKey(*want) != describeKey(*got):
		c.changed("%s: the primary key is %s instead of %s", c.table, describeKey(*got), describeKey(*want))
	}
}

// constraint is a constraint as far as it is compared. secret is what a user
// may have written.
type constraint struct {
	name, text, secret string
}

func (c constraint) String() string { return strings.TrimSpace(c.name + " " + c.text) }

// full describes a constraint that should be there.
func (c constraint) full() string { return strings.TrimSpace(c.String() + " " + c.secret) }

func describeKey(k Key) constraint {
	return constraint{name: k.Name, text: strings.TrimSpace("(" + strings.Join(k.Columns, ", ") + ") " + k.Options)}
}

func describeKeys(keys []Key) []constraint {
	out := make([]constraint, len(keys))
	for i, k := range keys {
		out[i] = describeKey(k)
	}
	return out
}

func describeForeignKeys(keys []ForeignKey) []constraint {
	out := make([]constraint, len(keys))
	for i, k := range keys {
		text := fmt.Sprintf("(%s) to %s (%s) ON DELETE %s ON UPDATE %s %s", strings.Join(k.Columns, ", "),
			k.RefTable, strings.Join(k.RefColumns, ", "), k.OnDelete, k.OnUpdate, k.Options)
		out[i] = constraint{name: k.Name, text: strings.TrimSpace(text)}
	}
	return out
}

func (c *comparison) describeChecks(checks []Check) []constraint {
	out := make([]constraint, len(checks))
	for i, k := range checks {
		out[i] = constraint{name: k.Name, secret: c.spell(k.Definition)}
	}
	return out
}

// compareConstraints takes equal ones away first, then pairs those that have
// the same name, or say the same under another name.
func (c *comparison) compareConstraints(kind string, want, got []constraint) {
	want, got = without(want, got), without(got, want)
	for _, same := range []func(w, g constraint) bool{
		func(w, g constraint) bool { return w.name != "" && w.name == g.name },
		func(w, g constraint) bool { return w.text == g.text && w.secret == g.secret },
	} {
		want = slices.DeleteFunc(want, func(w constraint) bool {
			i := slices.IndexFunc(got, func(g constraint) bool { return same(w, g) })
			if i < 0 {
				return false
			}
			c.changed("%s: %s %s instead of %s", c.table, kind, describeGot(got[i], w), w.full())
			got = slices.Delete(got, i, i+1)
			return true
		})
	}
	for _, w := range want {
		c.missing("%s: %s %s is missing", c.table, kind, w.full())
	}
	for _, g := range got {
		c.changed("%s: it has a %s %s and should not", c.table, kind, cmp.Or(g.String(), "without a name"))
	}
}

// describeGot describes what is there instead of w.
func describeGot(g, w constraint) string {
	if g.name == w.name && g.text == w.text {
		return g.name + " has another definition"
	}
	if g.name == "" && g.text == "" {
		return "has no name"
	}
	return "is " + g.String()
}

// without returns the elements of list that others lack.
func without(list, others []constraint) []constraint {
	return slices.DeleteFunc(slices.Clone(list), func(e constraint) bool { return slices.Contains(others, e) })
}

// compareIndexes leaves out indexes that are there, or not, because a
// constraint is: the constraint has been named already. Those without a name
// are all of that kind.
func (c *comparison) compareIndexes(want, got *Table) {
	gotByName := map[string]*Index{}
	for i := range got.Indexes {
		gotByName[got.Indexes[i].Name] = &got.Indexes[i]
	}
	for i := range want.Indexes {
		w := &want.Indexes[i]
		g := gotByName[w.Name]
		delete(gotByName, w.Name)
		switch {
		case w.Name == "" || g == nil && w.BacksConstraint:
		case g == nil:
			c.missing("%s: index %s is missing (%s)", c.table, w.Name, w.Definition)
		case w.Invalid != g.Invalid:
			c.changed("%s: index %s %s", c.table, w.Name, yesNo(!g.Invalid, "valid"))
		case !c.same(w.Definition, g.Definition):
			c.changed("%s: index %s is not as it should be (%s)", c.table, w.Name, w.Definition)
		}
	}
	for i := range got.Indexes {
		if g := &got.Indexes[i]; gotByName[g.Name] != nil && g.Name != "" && !g.BacksConstraint {
			c.extra("%s: index %s", c.table, g.Name)
		}
	}
}

func (c *comparison) compareSequences(want, got []Sequence) {
	for _, w := range want {
		i := slices.IndexFunc(got, func(g Sequence) bool { return g.Name == w.Name })
		switch {
		case i < 0:
			c.missing("sequence %s is missing", w.Name)
		case got[i].OwnedBy != w.OwnedBy:
			c.changed("sequence %s is owned by %s instead of %s", w.Name,
				cmp.Or(got[i].OwnedBy, "no column"), cmp.Or(w.OwnedBy, "no column"))
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w Sequence) bool { return w.Name == g.Name }) {
			c.extra("sequence %s", g.Name)
		}
	}
}

func (c *comparison) compareViews(want, got []View) {
	for _, w := range want {
		i := slices.IndexFunc(got, func(g View) bool { return g.Name == w.Name })
		switch {
		case i < 0:
			c.missing("view %s is missing", w.Name)
		case !c.same(got[i].Definition, w.Definition):
			c.changed("view %s is not as it should be (%s)", w.Name, w.Definition)
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w View) bool { return w.Name == g.Name }) {
			c.extra("view %s", g.Name)
		}
	}
}
