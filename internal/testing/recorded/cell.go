package recorded

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// uuidForm is how the application spells UUIDs.
var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// matches reports whether a live cell is what was recorded. Tokens are not
// looked at.
func matches(want, got Cell, live Database) bool {
	switch want := want.(type) {
	case JSON:
		got, ok := got.(JSON)
		return ok && pyjson.Equal(want.Value, got.Value)
	case TextJSON:
		source, ok := got.(string)
		if !ok {
			return false
		}
		value, err := pyjson.Decode(source)
		return err == nil && pyjson.Equal(want.Value, value)
	case Volatile:
		return want.plausible(got, live)
	case bool:
		if n, ok := got.(pyjson.Int); ok && live.Dialect == step.SQLite {
			return want && n == "1" || !want && n == "0"
		}
	}
	if _, ok := got.(JSON); ok {
		return false
	}
	return pyjson.Equal(want, got)
}

// plausible reports whether a value may stand for a volatile one.
func (v Volatile) plausible(got Cell, live Database) bool {
	switch v.Kind {
	case VolatileNow:
		// A clock in whole seconds seems to be up to one second behind.
		n, ok := integer(got)
		return ok && live.within(time.Unix(n, 0), time.Second)
	case VolatileNowNS:
		n, ok := integer(got)
		return ok && live.within(time.Unix(0, n), time.Microsecond)
	case VolatileUUID:
		s, ok := got.(string)
		return ok && uuidForm.MatchString(s)
	}
	return false
}

func integer(c Cell) (int64, bool) {
	text, ok := c.(pyjson.Int)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil
}

// earliest bounds the clock of a migration when nothing closer is known.
var earliest = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

// within reports whether a time is within the bounds of the clock.
func (d Database) within(t time.Time, precision time.Duration) bool {
	since := d.Since
	if since.IsZero() {
		since = earliest
	}
	return !t.Before(since.Truncate(precision)) && (d.Taken.IsZero() || !t.After(d.Taken))
}

// show returns a cell as the records spell it, shortened.
func show(r Row, name string) string {
	cell, ok := r[name]
	if !ok {
		return "no such column"
	}
	return shorten(spell(cell), 500)
}

func spell(c Cell) string {
	switch c := c.(type) {
	case JSON:
		return `{"$json": ` + pyjson.Encode(c.Value) + `}`
	case TextJSON:
		return `{"$text_json": ` + pyjson.Encode(c.Value) + `}`
	case Volatile:
		return strings.TrimSuffix("$"+c.Kind+" "+c.Token, " ")
	default:
		return pyjson.Encode(c)
	}
}

// describe tells a row from others: by its id if it has one that is recorded,
// else by everything in it.
func describe(r Row) string {
	if _, volatile := r["id"].(Volatile); r["id"] != nil && !volatile {
		return "id=" + shorten(spell(r["id"]), 100)
	}
	var list []string
	for name, cell := range r {
		if cell != nil {
			list = append(list, fmt.Sprintf("%s=%s", name, shorten(spell(cell), 40)))
		}
	}
	slices.Sort(list)
	return shorten(strings.Join(list, " "), 400)
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
