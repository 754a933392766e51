package recorded

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Database is the rows of a database by table, recorded or live. Tables without
// rows are in it; bookkeeping tables are not.
type Database struct {
	Tables map[string][]Row
	// Unordered names lists whose order has no meaning, as
	// "table.column -> key". Only recorded databases have it.
	Unordered []string
	// Dialect is the engine of a live database. SQLite has no booleans: there
	// 0 and 1 are taken for them where such are recorded.
	Dialect step.Dialect
	// Since and Taken bound the clock of a live database's migration, whose
	// times must lie between them, both included. Dump sets Taken; the caller
	// may set Since. The zero Since is the beginning of 2025, the zero Taken no
	// bound.
	Since, Taken time.Time
}

// Row is one row by column.
type Row map[string]Cell

// Cell is what is in one column of one row: nil for SQL NULL, bool, pyjson.Int,
// float64, string, or JSON; in recorded databases also TextJSON or Volatile.
type Cell any

// JSON is the value of a JSON column. JSON null is JSON{}, not nil.
type JSON struct{ Value pyjson.Value }

// TextJSON stands for a text that holds JSON of this value, however spelled.
type TextJSON struct{ Value pyjson.Value }

// Volatile stands for a value that is another one in every run.
type Volatile struct {
	// Kind is VolatileNow, VolatileNowNS or VolatileUUID.
	Kind string
	// Token names a UUID: the same token is the same value in the whole
	// database, and different tokens are different values.
	Token string
}

// The kinds of volatile values: the clock in seconds or nanoseconds, and a
// random UUID.
const (
	VolatileNow   = "now"
	VolatileNowNS = "now_ns"
	VolatileUUID  = "uuid"
)

func parseDatabase(text string, unordered []string) (Database, error) {
	v, err := pyjson.Decode(text)
	if err != nil {
		return Database{}, err
	}
	d := Database{Tables: map[string][]Row{}, Unordered: unordered}
	tables, ok := memberOf(v, "tables").(*pyjson.Object)
	if !ok {
		return Database{}, errors.New("there are no tables")
	}
	for _, name := range tables.Names() {
		if d.Tables[name], err = parseRows(memberOf(tables, name)); err != nil {
			return Database{}, fmt.Errorf("table %s: %w", name, err)
		}
	}
	empty, ok := memberOf(v, "empty_tables").([]pyjson.Value)
	if !ok {
		return Database{}, errors.New("there are no empty_tables")
	}
	for _, v := range empty {
		name, ok := v.(string)
		if _, twice := d.Tables[name]; !ok || twice {
			return Database{}, fmt.Errorf("the empty table %v is no name of its own", v)
		}
		d.Tables[name] = nil
	}
	d.sortUnordered(unordered)
	return d, nil
}

// memberOf returns a member, or nil if there is none or v is not an object.
func memberOf(v pyjson.Value, name string) pyjson.Value {
	if o, ok := v.(*pyjson.Object); ok {
		member, _ := o.Get(name)
		return member
	}
	return nil
}

func parseRows(v pyjson.Value) ([]Row, error) {
	list, ok := v.([]pyjson.Value)
	if !ok {
		return nil, errors.New("the rows are not a list")
	}
	rows := make([]Row, len(list))
	for i, v := range list {
		object, ok := v.(*pyjson.Object)
		if !ok {
			return nil, fmt.Errorf("row %d is not an object", i)
		}
		rows[i] = Row{}
		for _, column := range object.Names() {
			cell, err := parseCell(memberOf(object, column))
			if err != nil {
				return nil, fmt.Errorf("row %d, column %s: %w", i, column, err)
			}
			rows[i][column] = cell
		}
	}
	return rows, nil
}

func parseCell(v pyjson.Value) (Cell, error) {
	o, ok := v.(*pyjson.Object)
	if !ok {
		if _, list := v.([]pyjson.Value); list {
			return nil, errors.New("a cell is not a list")
		}
		return v, nil
	}
	names := o.Names()
	switch slices.Sort(names); strings.Join(names, " ") {
	case "$json":
		value, err := restore(memberOf(o, "$json"))
		return JSON{value}, err
	case "$text_json":
		value, err := restore(memberOf(o, "$text_json"))
		return TextJSON{value}, err
	case "$nonfinite":
		return restore(o)
	case "$volatile", "$volatile token":
		return parseVolatile(o)
	}
	return nil, fmt.Errorf("a cell cannot have the members %s", strings.Join(names, ", "))
}

func parseVolatile(o *pyjson.Object) (Cell, error) {
	kind, _ := memberOf(o, "$volatile").(string)
	token, _ := memberOf(o, "token").(string)
	switch {
	case kind == VolatileUUID && token != "", (kind == VolatileNow || kind == VolatileNowNS) && token == "":
		return Volatile{Kind: kind, Token: token}, nil
	}
	return nil, errors.New("a volatile value of unknown kind, or with the token of another one")
}

// restore puts the words back that stand for numbers that are not finite, which
// standard JSON cannot express.
func restore(v pyjson.Value) (pyjson.Value, error) {
	switch v := v.(type) {
	case []pyjson.Value:
		list := make([]pyjson.Value, len(v))
		for i := range v {
			var err error
			if list[i], err = restore(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *pyjson.Object:
		if word, ok := v.Get("$nonfinite"); ok && v.Len() == 1 {
			return nonFinite(word)
		}
		o := &pyjson.Object{}
		for _, name := range v.Names() {
			member, err := restore(memberOf(v, name))
			if err != nil {
				return nil, err
			}
			o.Set(name, member)
		}
		return o, nil
	default:
		return v, nil
	}
}

func nonFinite(word pyjson.Value) (pyjson.Value, error) {
	switch word {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	return nil, errors.New("an unknown number that is not finite")
}

// sortUnordered brings lists without an order into a fixed one.
func (d Database) sortUnordered(paths []string) {
	for _, path := range paths {
		parts := strings.Split(path, " -> ")
		table, column, _ := strings.Cut(parts[0], ".")
		for _, row := range d.Tables[table] {
			switch cell := row[column].(type) {
			case JSON:
				sortAt(cell.Value, parts[1:])
			case TextJSON:
				sortAt(cell.Value, parts[1:])
			}
		}
	}
}

// sortAt sorts the list at a path of member names, in place.
func sortAt(v pyjson.Value, path []string) {
	for _, name := range path {
		v = memberOf(v, name)
	}
	if list, ok := v.([]pyjson.Value); ok {
		slices.SortFunc(list, func(a, b pyjson.Value) int { return strings.Compare(pyjson.Encode(a), pyjson.Encode(b)) })
	}
}
