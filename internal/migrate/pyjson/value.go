// Package pyjson reads and writes JSON as Python's json module does, because
// the application whose data is migrated is written in Python: what it stored
// must be read, and what it would refuse must be refused, whatever the JSON
// standard says.
//
// It differs from encoding/json in these points. NaN, Infinity and -Infinity
// are values. Half surrogates (\ud800 without its partner) are kept. The names
// of an object keep their order, and the last of equal names wins, in the place
// of the first. Integers are exact at any size, up to 4300 digits; other
// numbers are float64, and those too large are infinite. A byte order mark, an
// unescaped control character in a string, nesting deeper than MaxDepth and a
// text that is not UTF-8 are refused.
package pyjson

import (
	"math"
	"slices"
)

// Value is a JSON value: nil, bool, Int, float64, string, []Value or *Object.
//
// A string holds UTF-8, except that half surrogates are encoded like any other
// code point, in three bytes that are not valid UTF-8. Use IsText before
// handing one to anything that expects UTF-8.
type Value any

// Int is an integer in decimal digits: a minus sign unless it is positive or
// zero, no leading zeros.
type Int string

// MaxDepth is how deep lists and objects may be nested: Python's default
// recursion limit. The application has part of that limit in use already when
// it reads JSON, so nothing that it can read is refused.
const MaxDepth = 1000

// maxDigits is how many digits Python converts to an integer by default.
const maxDigits = 4300

// Object is a JSON object. The zero value is empty.
type Object struct {
	names  []string
	values map[string]Value
}

// NewObject returns an object with the given members. Names and values
// alternate.
func NewObject(members ...Value) *Object {
	o := &Object{}
	for pair := range slices.Chunk(members, 2) {
		name, ok := pair[0].(string)
		if !ok || len(pair) != 2 {
			panic("pyjson: the members of an object are names and values")
		}
		o.Set(name, pair[1])
	}
	return o
}

// Get returns the value of a member, and whether there is one of that name.
func (o *Object) Get(name string) (Value, bool) {
	v, ok := o.values[name]
	return v, ok
}

// Set adds a member at the end, or replaces the value of the one that has the
// name already, which keeps its place.
func (o *Object) Set(name string, v Value) {
	if o.values == nil {
		o.values = map[string]Value{}
	}
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = v
}

// Len returns the number of members.
func (o *Object) Len() int { return len(o.names) }

// Names returns the names in their order. The caller may keep and change them.
func (o *Object) Names() []string { return slices.Clone(o.names) }

// Equal reports whether two values are the same: as Python's == does, but an
// integer never equals a float or a boolean, and NaN equals NaN, so that a copy
// equals its original. The order of members has no meaning.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case []Value:
		b, ok := b.([]Value)
		return ok && slices.EqualFunc(a, b, Equal)
	case *Object:
		b, ok := b.(*Object)
		return ok && a.equal(b)
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.IsNaN(a) && math.IsNaN(b))
	default:
		return a == b
	}
}

func (o *Object) equal(other *Object) bool {
	if o.Len() != other.Len() {
		return false
	}
	for name, v := range o.values {
		w, ok := other.values[name]
		if !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}

// IsFinite reports whether a value holds neither NaN nor an infinity at any
// depth. PostgreSQL accepts no others as JSON.
func IsFinite(v Value) bool {
	switch v := v.(type) {
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case []Value:
		return !slices.ContainsFunc(v, func(w Value) bool { return !IsFinite(w) })
	case *Object:
		for _, w := range v.values {
			if !IsFinite(w) {
				return false
			}
		}
	}
	return true
}
