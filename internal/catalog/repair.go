package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Repair is what makes a database what it should be by additions alone: nothing
// is dropped, no type is altered, no row is lost.
type Repair struct {
	// Additions are in the order in which they have to be made.
	Additions []Addition
	// Refused are differences that no addition mends, a line each.
	Refused []string
	// Rebuilds are the SQLite tables that are built anew, row by row, because
	// SQLite cannot add to them what is missing. Triggers on them go with the old
	// ones, and views keep them from taking their place: who carries a repair out
	// sets both aside.
	Rebuilds []string
}

// Addition is one object to add.
type Addition struct {
	// Object names it, as in "table chat: column meta". What belongs to a table
	// that is added goes by the name of the table.
	Object string
	// Table and Column are set if it is a table, or a column of one.
	Table, Column string
	// SQL are the statements, for the connection's current schema.
	SQL []string
}

// Initial returns the value, as an SQL expression, that the rows of a table have
// in a column that is added to it. It is asked for columns that are NOT NULL and
// have no default.
type Initial func(table, column string) (expression string, ok bool)

// PlanRepair returns how got becomes want. initial may be nil for nothing known.
func PlanRepair(want, got *Catalog, initial Initial) Repair {
	if initial == nil {
		initial = func(string, string) (string, bool) { return "", false }
	}
	r := &repairer{want: want, got: got, initial: initial}
	r.out.Refused = Compare(want, got).Changed
	for _, name := range names(want.Tables, nil) {
		switch {
		case got.Tables[name] == nil:
			r.addTable(name)
		case want.Engine == bundle.SQLite:
			r.mendSQLite(name)
		default:
			r.mendPostgres(name)
		}
	}
	r.addViews()
	r.out.Additions = slices.Concat(r.sequences, r.tables, r.owners, r.keys, r.indexes, r.foreignKeys, r.views)
	return r.out
}

// repairer collects additions by kind: tables need sequences, indexes need
// columns, and foreign keys need the keys that they refer to.
type repairer struct {
	want, got *Catalog
	initial   Initial
	out       Repair

	sequences, tables, owners, keys, indexes, foreignKeys, views []Addition
}

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func identList(names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = ident(name)
	}
	return strings.Join(out, ", ")
}

// definition is a column as CREATE TABLE and ADD COLUMN take it.
func (c Column) definition() string {
	out := ident(c.Name)
	if c.Type != "" {
		out += " " + c.Type
	}
	if c.NotNull {
		out += " NOT NULL"
	}
	switch {
	case c.Default != "":
		out += " DEFAULT " + c.Default
	case c.Identity != "":
		out += " GENERATED " + strings.ToUpper(c.Identity) + " AS IDENTITY"
	case c.Generated != "":
		out += " GENERATED ALWAYS AS (" + c.Generated + ")"
		if c.Stored {
			out += " STORED"
		}
	}
	return out
}

func constrained(name, text string) string {
	if name == "" {
		return text
	}
	return "CONSTRAINT " + ident(name) + " " + text
}

func (k Key) definition(kind string) string {
	return strings.TrimSpace(constrained(k.Name, kind+" ("+identList(k.Columns)+") "+k.Options))
}

func (k ForeignKey) definition() string {
	text := fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE %s ON UPDATE %s %s",
		identList(k.Columns), ident(k.RefTable), identList(k.RefColumns), k.OnDelete, k.OnUpdate, k.Options)
	return strings.TrimSpace(constrained(k.Name, text))
}

func (c Check) definition(engine bundle.Engine) string {
	if engine == bundle.SQLite {
		return constrained(c.Name, "CHECK ("+c.Definition+")")
	}
	return constrained(c.Name, c.Definition)
}

// addTable adds a table with all that belongs to it.
func (r *repairer) addTable(name string) {
	t := r.want.Tables[name]
	object := "table " + name
	if r.want.Engine == bundle.SQLite {
		r.tables = append(r.tables, Addition{Object: object, Table: name, SQL: []string{createSQLite(name, t)}})
		r.addIndexes(name, t, nil)
		return
	}
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = c.definition()
		r.addSequence(name, c, "table "+name)
	}
	r.tables = append(r.tables, Addition{Object: object, Table: name, SQL: []string{
		"CREATE TABLE " + ident(name) + " (" + strings.Join(columns, ", ") + ")",
	}})
	r.addConstraints(name, t, nil)
	r.addIndexes(name, t, nil)
}

// addSequence adds the sequence that a column of PostgreSQL takes its default
// from, unless it is there, as a part of an object.
func (r *repairer) addSequence(table string, c Column, object string) {
	column := table + "." + c.Name
	for _, s := range r.want.Sequences {
		if s.OwnedBy != column || c.Identity != "" ||
			slices.ContainsFunc(r.got.Sequences, func(g Sequence) bool { return g.Name == s.Name }) {
			continue
		}
		r.sequences = append(r.sequences, Addition{Object: object, SQL: []string{
			"CREATE SEQUENCE " + ident(s.Name) + " AS " + c.Type,
		}})
		r.owners = append(r.owners, Addition{Object: object, SQL: []string{
			"ALTER SEQUENCE " + ident(s.Name) + " OWNED BY " + ident(table) + "." + ident(c.Name),
		}})
	}
}

// mendPostgres adds to a table of PostgreSQL what it lacks.
func (r *repairer) mendPostgres(name string) {
	want, got := r.want.Tables[name], r.got.Tables[name]
	for _, c := range missingColumns(want, got) {
		r.addSequence(name, c, "table "+name+": column "+c.Name)
		definition, after := c.definition(), []string(nil)
		if c.required() {
			value, ok := r.initial(name, c.Name)
			if !ok {
				r.refuse(name, c)
				continue
			}
			definition += " DEFAULT " + value
			after = []string{"ALTER TABLE " + ident(name) + " ALTER COLUMN " + ident(c.Name) + " DROP DEFAULT"}
		}
		r.tables = append(r.tables, Addition{
			Object: "table " + name + ": column " + c.Name, Table: name, Column: c.Name,
			SQL: append([]string{"ALTER TABLE " + ident(name) + " ADD COLUMN " + definition}, after...),
		})
	}
	r.addConstraints(name, want, got)
	r.addIndexes(name, want, got)
}

// required reports that rows need a value that nothing gives them.
func (c Column) required() bool {
	return c.NotNull && c.Default == "" && c.Identity == "" && c.Generated == ""
}

func (r *repairer) refuse(table string, c Column) {
	r.out.Refused = append(r.out.Refused, fmt.Sprintf(
		"table %s: column %s is missing and cannot be added: it is NOT NULL, and what its rows should hold is not known", table, c.Name))
}

func missingColumns(want, got *Table) []Column {
	return slices.DeleteFunc(slices.Clone(want.Columns), func(w Column) bool {
		return slices.ContainsFunc(got.Columns, func(g Column) bool { return g.Name == w.Name })
	})
}

// part names a part of a table, or the table itself if all of it is added.
func part(table, object string, whole bool) string {
	if whole {
		return "table " + table
	}
	return "table " + table + ": " + object
}

// addConstraints adds constraints to a table of PostgreSQL; got is nil for a
// table that is added.
func (r *repairer) addConstraints(name string, want, got *Table) {
	whole := got == nil
	if whole {
		got = &Table{}
	}
	alter := "ALTER TABLE " + ident(name) + " ADD "
	add := func(list *[]Addition, object, definition string) {
		*list = append(*list, Addition{Object: part(name, object, whole), SQL: []string{alter + definition}})
	}
	if want.PrimaryKey != nil && got.PrimaryKey == nil {
		add(&r.keys, "primary key", want.PrimaryKey.definition("PRIMARY KEY"))
	}
	for _, k := range want.Unique {
		if !slices.ContainsFunc(got.Unique, func(g Key) bool { return g.Name == k.Name }) {
			add(&r.keys, "unique constraint "+k.Name, k.definition("UNIQUE"))
		}
	}
	for _, c := range want.Checks {
		if !slices.ContainsFunc(got.Checks, func(g Check) bool { return g.Name == c.Name }) {
			add(&r.keys, "check "+c.Name, c.definition(r.want.Engine))
		}
	}
	for _, k := range want.ForeignKeys {
		if !slices.ContainsFunc(got.ForeignKeys, func(g ForeignKey) bool { return g.Name == k.Name }) {
			add(&r.foreignKeys, "foreign key "+k.Name, k.definition())
		}
	}
}

// addIndexes adds the indexes that no constraint brings along; got is nil for a
// table that is added.
func (r *repairer) addIndexes(name string, want, got *Table) {
	whole := got == nil
	if whole {
		got = &Table{}
	}
	for _, i := range want.Indexes {
		if i.Name == "" || i.BacksConstraint ||
			slices.ContainsFunc(got.Indexes, func(g Index) bool { return g.Name == i.Name }) {
			continue
		}
		r.indexes = append(r.indexes, Addition{Object: part(name, "index "+i.Name, whole), SQL: []string{i.Definition}})
	}
}

func (r *repairer) addViews() {
	for _, w := range r.want.Views {
		if slices.ContainsFunc(r.got.Views, func(g View) bool { return g.Name == w.Name }) {
			continue
		}
		definition := w.Definition
		if r.want.Engine == bundle.Postgres {
			definition = "CREATE VIEW " + ident(w.Name) + " AS " + w.Definition
		}
		r.views = append(r.views, Addition{Object: "view " + w.Name, SQL: []string{definition}})
	}
}
