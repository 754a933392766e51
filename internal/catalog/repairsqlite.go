package catalog

import (
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
)

// createSQLite returns the CREATE TABLE of a table of SQLite.
func createSQLite(name string, t *Table) string {
	key := t.PrimaryKey
	var parts []string
	for _, c := range t.Columns {
		definition := c.definition()
		if t.Autoincrement && key != nil && len(key.Columns) == 1 && key.Columns[0] == c.Name {
			// Only so is it allowed.
			definition += " " + constrained(key.Name, "PRIMARY KEY AUTOINCREMENT")
			key = nil
		}
		parts = append(parts, definition)
	}
	if key != nil {
		parts = append(parts, key.definition("PRIMARY KEY"))
	}
	for _, k := range t.Unique {
		parts = append(parts, k.definition("UNIQUE"))
	}
	for _, c := range t.Checks {
		parts = append(parts, c.definition(bundle.SQLite))
	}
	for _, k := range t.ForeignKeys {
		parts = append(parts, k.definition())
	}
	return "CREATE TABLE " + ident(name) + " (" + strings.Join(parts, ", ") + ")"
}

// mendSQLite adds to a table of SQLite what it lacks, by building it anew where
// there is no other way.
func (r *repairer) mendSQLite(name string) {
	want, got := r.want.Tables[name], r.got.Tables[name]
	missing := missingColumns(want, got)
	if lacksConstraint(want, got) || slices.ContainsFunc(missing, func(c Column) bool { return !c.addable() }) {
		r.rebuild(name, missing)
		return
	}
	for _, c := range missing {
		r.tables = append(r.tables, Addition{
			Object: "table " + name + ": column " + c.Name, Table: name, Column: c.Name,
			SQL: []string{"ALTER TABLE " + ident(name) + " ADD COLUMN " + c.definition()},
		})
	}
	r.addIndexes(name, want, got)
}

// addable reports whether SQLite's ADD COLUMN takes a column: a default must be
// a constant, and there must be one if the column is NOT NULL.
func (c Column) addable() bool {
	constant := !strings.HasPrefix(c.Default, "(") && !strings.HasPrefix(strings.ToUpper(c.Default), "CURRENT_")
	return !c.required() && constant && !c.Stored
}

// lacksConstraint reports whether a constraint is missing, all of which belong
// to the words of CREATE TABLE.
func lacksConstraint(want, got *Table) bool {
	c := &comparison{spell: plain}
	c.comparePrimaryKeys(want.PrimaryKey, got.PrimaryKey)
	c.compareConstraints("", describeKeys(want.Unique), describeKeys(got.Unique))
	c.compareConstraints("", describeForeignKeys(want.ForeignKeys), describeForeignKeys(got.ForeignKeys))
	c.compareConstraints("", c.describeChecks(want.Checks), c.describeChecks(got.Checks))
	return len(c.out.Missing) > 0
}

// rebuild makes a table that has all it should have, copies the rows, and puts it
// in the place of the old one. It refuses where a user's own column would be
// lost.
func (r *repairer) rebuild(name string, missing []Column) {
	want, got := r.want.Tables[name], r.got.Tables[name]
	for _, c := range missingColumns(got, want) {
		r.out.Refused = append(r.out.Refused,
			"table "+name+": it has to be built anew, and would lose the column "+c.Name+" that nothing is known about")
		return
	}
	var into, from []string
	for _, c := range want.Columns {
		value := ident(c.Name)
		if slices.ContainsFunc(missing, func(m Column) bool { return m.Name == c.Name }) {
			if !c.required() {
				continue // the default, or NULL
			}
			initial, ok := r.initial(name, c.Name)
			if !ok {
				r.refuse(name, c)
				return
			}
			value = initial
		}
		if c.Generated == "" {
			into, from = append(into, ident(c.Name)), append(from, value)
		}
	}
	temporary := name + "_repaired"
	statements := []string{
		createSQLite(temporary, want),
		"INSERT INTO " + ident(temporary) + " (" + strings.Join(into, ", ") + ") SELECT " + strings.Join(from, ", ") +
			" FROM " + ident(name) + " ORDER BY rowid",
		"DROP TABLE " + ident(name),
		"ALTER TABLE " + ident(temporary) + " RENAME TO " + ident(name),
	}
	for _, i := range got.Indexes {
		if i.Name != "" {
			statements = append(statements, i.Definition)
		}
	}
	r.out.Rebuilds = append(r.out.Rebuilds, name)
	r.tables = append(r.tables, r.rebuilt(name, missing, statements)...)
	r.addIndexes(name, want, got)
}

// rebuilt says what the statements add: columns by their names, if there are
// any, or else constraints.
func (r *repairer) rebuilt(name string, missing []Column, statements []string) []Addition {
	if len(missing) == 0 {
		return []Addition{{Object: "table " + name + ": constraints", SQL: statements}}
	}
	out := make([]Addition, len(missing))
	for i, c := range missing {
		out[i] = Addition{Object: "table " + name + ": column " + c.Name, Table: name, Column: c.Name}
	}
	out[0].SQL = statements
	return out
}
