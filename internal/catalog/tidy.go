package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// tidy leaves out the bookkeeping and sorts, so that equal databases have equal
// catalogs. Empty lists become nil.
func (c *Catalog) tidy() {
	for _, name := range bookkeeping {
		delete(c.Tables, name)
	}
	c.Sequences = slices.DeleteFunc(c.Sequences, func(s Sequence) bool {
		table, _, _ := strings.Cut(s.OwnedBy, ".")
		return slices.Contains(bookkeeping, table)
	})
	c.Sequences = sorted(c.Sequences, func(a, b Sequence) int { return cmp.Compare(a.Name, b.Name) })
	c.Views = sorted(c.Views, func(a, b View) int { return cmp.Compare(a.Name, b.Name) })
	for _, t := range c.Tables {
		t.tidy()
	}
}

func (t *Table) tidy() {
	t.Columns = sorted(t.Columns, func(a, b Column) int { return cmp.Compare(a.Position, b.Position) })
	t.Unique = sorted(t.Unique, compareKeys)
	t.ForeignKeys = sorted(t.ForeignKeys, func(a, b ForeignKey) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.Columns, b.Columns),
			cmp.Compare(a.RefTable, b.RefTable), slices.Compare(a.RefColumns, b.RefColumns))
	})
	t.Checks = sorted(t.Checks, func(a, b Check) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Definition, b.Definition))
	})
	t.Indexes = sorted(t.Indexes, func(a, b Index) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Origin, b.Origin), slices.Compare(a.Columns, b.Columns))
	})
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.Columns, b.Columns))
}

func sorted[E any](list []E, compare func(a, b E) int) []E {
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, compare)
	return list
}
