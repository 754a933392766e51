package catalog

import (
	"slices"
	"strings"
)

// sqliteTable is what only the words of CREATE TABLE tell: the names of
// constraints, checks, expressions of generated columns, and unique constraints
// that SQLite made no index for because the primary key has one.
type sqliteTable struct {
	primaryKey    string
	unique        []Key
	foreignKeys   []sqliteForeignKey // in the order in which they are declared
	checks        []Check
	generated     map[string]string // by the column's name in lower case
	autoincrement bool
}

type sqliteForeignKey struct{ name, options string }

// parseSQLiteTable reads a CREATE TABLE statement that SQLite has stored, which
// is valid therefore. What it does not look for it passes over.
func parseSQLiteTable(sql string) *sqliteTable {
	t := &sqliteTable{generated: map[string]string{}}
	all := tokens(sql)
	open := slices.IndexFunc(all, func(t token) bool { return t.symbol("(") })
	if open < 0 || len(all) > 1 && all[1].is("VIRTUAL") {
		return t
	}
	body := all[open+1 : closing(all, open)]
	for len(body) > 0 {
		end := elementEnd(body)
		p := &sqliteElement{table: t, sql: sql, rest: body[:end]}
		p.parse()
		body = body[min(end+1, len(body)):]
	}
	return t
}

// closing returns where the parenthesis that opens at a place closes.
func closing(all []token, open int) int {
	depth := 0
	for i := open; i < len(all); i++ {
		switch {
		case all[i].symbol("("):
			depth++
		case all[i].symbol(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(all)
}

// elementEnd returns where the first element of a list ends.
func elementEnd(list []token) int {
	for i := 0; i < len(list); i++ {
		if list[i].symbol("(") {
			i = closing(list, i)
		} else if list[i].symbol(",") {
			return i
		}
	}
	return len(list)
}

// sqliteElement is a column or one or several constraints of a table.
type sqliteElement struct {
	table  *sqliteTable
	sql    string
	rest   []token
	column string // empty for constraints of the table
	name   string // of the constraint that comes next
}

// next removes and returns the first token; the zero token at the end.
func (p *sqliteElement) next() token {
	if len(p.rest) == 0 {
		return token{}
	}
	t := p.rest[0]
	p.rest = p.rest[1:]
	return t
}

// takeName returns the name of the constraint that begins.
func (p *sqliteElement) takeName() string {
	name := p.name
	p.name = ""
	return name
}

// group removes a parenthesis and returns the tokens in it.
func (p *sqliteElement) group() []token {
	if len(p.rest) == 0 || !p.rest[0].symbol("(") {
		return nil
	}
	end := closing(p.rest, 0)
	inner := p.rest[1:end]
	p.rest = p.rest[min(end+1, len(p.rest)):]
	return inner
}

// columns reads a list of columns, of which each may have a collation and an
// order after it.
func (p *sqliteElement) columns() []string {
	var out []string
	for inner := p.group(); len(inner) > 0; {
		end := elementEnd(inner)
		if end > 0 {
			out = append(out, inner[0].name())
		}
		inner = inner[min(end+1, len(inner)):]
	}
	return out
}

// text reads a parenthesis as it is written, without the outer parentheses.
func (p *sqliteElement) text() string {
	inner := p.group()
	if len(inner) == 0 {
		return ""
	}
	return p.sql[inner[0].at:inner[len(inner)-1].end]
}

var sqliteTableConstraints = []string{"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}

func (p *sqliteElement) parse() {
	if len(p.rest) == 0 {
		return
	}
	if !slices.ContainsFunc(sqliteTableConstraints, p.rest[0].is) {
		p.column = p.next().name()
	}
	for len(p.rest) > 0 {
		p.constraint(p.next())
	}
}

// constraint reads what a keyword begins; for other words, such as those of a
// type or of an action, there is nothing to do.
func (p *sqliteElement) constraint(t token) {
	switch {
	case t.is("CONSTRAINT"):
		p.name = p.next().name()
	case t.is("PRIMARY"):
		p.table.primaryKey = p.takeName()
	case t.is("UNIQUE"):
		key := Key{Name: p.takeName(), Columns: []string{p.column}}
		if p.column == "" {
			key.Columns = p.columns()
		}
		if !slices.ContainsFunc(p.table.unique, func(k Key) bool { return compareKeys(k, key) == 0 }) {
			p.table.unique = append(p.table.unique, key)
		}
	case t.is("CHECK"):
		p.table.checks = append(p.table.checks, Check{Name: p.takeName(), Definition: p.text()})
	case t.is("REFERENCES"):
		p.references()
	case t.is("AS"):
		p.takeName()
		p.table.generated[strings.ToLower(p.column)] = p.text()
	case t.is("AUTOINCREMENT"):
		p.table.autoincrement = true
	case t.is("DEFAULT"), t.is("NULL"), t.is("COLLATE"), t.is("GENERATED"):
		p.takeName()
	case t.symbol("("): // anything may be in it
		p.rest = append([]token{t}, p.rest...)
		p.group()
	}
}

// references reads a foreign key after REFERENCES. The pragmas tell the rest.
func (p *sqliteElement) references() {
	fk := sqliteForeignKey{name: p.takeName()}
	p.next()
	p.group()
	for i, t := range p.rest {
		if slices.ContainsFunc(sqliteTableConstraints, t.is) {
			break
		}
		switch {
		case t.is("DEFERRABLE") && (i == 0 || !p.rest[i-1].is("NOT")):
			fk.options = strings.TrimSpace("DEFERRABLE " + fk.options)
		case t.is("DEFERRED") && fk.options != "":
			fk.options += " INITIALLY DEFERRED"
		}
	}
	p.table.foreignKeys = append(p.table.foreignKeys, fk)
}
