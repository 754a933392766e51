package recorded

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

const (
	uuid1 = "00000000-0000-4000-8000-000000000001"
	uuid2 = "00000000-0000-4000-8000-000000000002"
	uuid3 = "00000000-0000-4000-8000-000000000003"
)

var clock = time.Date(2026, time.May, 1, 12, 0, 0, 500, time.UTC)

func parse(t *testing.T, tables string, unordered ...string) Database {
	t.Helper()
	d, err := parseDatabase(`{"tables": {`+tables+`}, "empty_tables": ["bare"]}`, unordered)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// live returns a database with one more table, which has no rows.
func live(dialect step.Dialect, tables map[string][]Row) Database {
	tables["bare"] = nil
	return Database{Tables: tables, Dialect: dialect, Since: clock, Taken: clock.Add(time.Minute)}
}

// TestCompareCells has one cell recorded and one in a live database.
func TestCompareCells(t *testing.T) {
	t.Parallel()
	object := JSON{pyjson.NewObject("a", pyjson.Int("1"), "b", []pyjson.Value{nil})}
	seconds := func(d time.Duration) Cell { return pyjson.Int(fmt.Sprint(clock.Add(d).Unix())) }
	nanoseconds := func(d time.Duration) Cell { return pyjson.Int(fmt.Sprint(clock.Add(d).UnixNano())) }
	tests := map[string]struct {
		want    string
		got     Cell
		dialect step.Dialect
		differs bool
	}{
		"null":                      {want: "null", got: nil},
		"SQL null for JSON null":    {want: `{"$json": null}`, got: nil, differs: true},
		"JSON null for SQL null":    {want: "null", got: JSON{}, differs: true},
		"JSON null":                 {want: `{"$json": null}`, got: JSON{}},
		"integer":                   {want: "1", got: pyjson.Int("1")},
		"integer for text":          {want: `"1"`, got: pyjson.Int("1"), differs: true},
		"text for integer":          {want: "1", got: "1", differs: true},
		"float for integer":         {want: "1", got: 1.0, differs: true},
		"float":                     {want: "1.5", got: 1.5},
		"NaN in a column":           {want: `{"$nonfinite": "NaN"}`, got: 1.0, differs: true},
		"null for empty text":       {want: `""`, got: nil, differs: true},
		"text":                      {want: `"\u00e4"`, got: "ä"},
		"other text":                {want: `"a"`, got: "b", differs: true},
		"boolean":                   {want: "true", got: true, dialect: step.Postgres},
		"other boolean":             {want: "true", got: false, dialect: step.Postgres, differs: true},
		"number for boolean":        {want: "true", got: pyjson.Int("1"), dialect: step.Postgres, differs: true},
		"SQLite's true":             {want: "true", got: pyjson.Int("1"), dialect: step.SQLite},
		"SQLite's false":            {want: "false", got: pyjson.Int("0"), dialect: step.SQLite},
		"SQLite's other boolean":    {want: "false", got: pyjson.Int("1"), dialect: step.SQLite, differs: true},
		"SQLite's 2 is no boolean":  {want: "true", got: pyjson.Int("2"), dialect: step.SQLite, differs: true},
		"JSON in another order":     {want: `{"$json": {"b": [null], "a": 1}}`, got: object},
		"other JSON":                {want: `{"$json": {"b": [], "a": 1}}`, got: object, differs: true},
		"text for JSON":             {want: `{"$json": "a"}`, got: "a", differs: true},
		"JSON for text":             {want: `"a"`, got: JSON{"a"}, differs: true},
		"NaN in JSON":               {want: `{"$json": [{"$nonfinite": "NaN"}, {"$nonfinite": "-Infinity"}]}`, got: JSON{mustDecode(t, "[NaN, -Infinity]")}},
		"other infinity":            {want: `{"$json": {"$nonfinite": "Infinity"}}`, got: JSON{mustDecode(t, "-Infinity")}, differs: true},
		"word for NaN":              {want: `{"$json": {"$nonfinite": "NaN"}}`, got: JSON{"NaN"}, differs: true},
		"JSON as text":              {want: `{"$text_json": {"a": ["\u00e4"]}}`, got: `{ "a" :["ä"]}`},
		"other JSON as text":        {want: `{"$text_json": {"a": 1}}`, got: `{"a": "1"}`, differs: true},
		"text that is no JSON":      {want: `{"$text_json": {"a": 1}}`, got: `{"a": 1`, differs: true},
		"JSON, not as text":         {want: `{"$text_json": {}}`, got: JSON{pyjson.NewObject()}, differs: true},
		"null for JSON as text":     {want: `{"$text_json": null}`, got: nil, differs: true},
		"JSON null as text":         {want: `{"$text_json": null}`, got: "null"},
		"now":                       {want: `{"$volatile": "now"}`, got: seconds(0)},
		"too early":                 {want: `{"$volatile": "now"}`, got: seconds(-2 * time.Second), differs: true},
		"too late":                  {want: `{"$volatile": "now"}`, got: seconds(2 * time.Minute), differs: true},
		"nanoseconds for seconds":   {want: `{"$volatile": "now"}`, got: nanoseconds(0), differs: true},
		"now in nanoseconds":        {want: `{"$volatile": "now_ns"}`, got: nanoseconds(time.Second)},
		"seconds for nanoseconds":   {want: `{"$volatile": "now_ns"}`, got: seconds(time.Second), differs: true},
		"now as text":               {want: `{"$volatile": "now"}`, got: "1777636800", differs: true},
		"never":                     {want: `{"$volatile": "now"}`, got: nil, differs: true},
		"UUID":                      {want: `{"$volatile": "uuid", "token": "u1"}`, got: uuid1},
		"UUID in capitals":          {want: `{"$volatile": "uuid", "token": "u1"}`, got: "ABCDEF00-0000-4000-8000-000000000001", differs: true},
		"the token itself":          {want: `{"$volatile": "uuid", "token": "u1"}`, got: "u1", differs: true},
		"a row that has no such id": {want: `{"$volatile": "uuid", "token": "u1"}`, got: nil, differs: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := parse(t, `"t": [{"id": "x", "c": `+tt.want+`}]`)
			got := Compare(want, live(tt.dialect, map[string][]Row{"t": {{"id": "x", "c": tt.got}}}))
			if tt.differs != (len(got) == 1 && strings.HasPrefix(got[0], `table t: row id="x" differs`+"\n  c: want ")) || !tt.differs && len(got) > 0 {
				t.Errorf("Compare() = %q, want a difference: %t", got, tt.differs)
			}
		})
	}
}

func mustDecode(t *testing.T, text string) pyjson.Value {
	t.Helper()
	v, err := pyjson.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCompareRows has differences between whole rows and tables.
func TestCompareRows(t *testing.T) {
	t.Parallel()
	const (
		rows   = `"t": [{"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "c", "n": 3}]`
		linked = `"t": [{"id": {"$volatile": "uuid", "token": "u1"}, "n": 1}, {"id": {"$volatile": "uuid", "token": "u2"}, "n": 1}],
			"of": [{"n": 7, "t": {"$volatile": "uuid", "token": "u2"}}]`
	)
	row := func(id, n string) Row { return Row{"id": id, "n": pyjson.Int(n)} }
	tests := map[string]struct {
		want      string
		unordered string
		got       map[string][]Row
		differ    []string // prefixes of the differences
	}{
		"another order": {want: rows, got: map[string][]Row{"t": {row("c", "3"), row("a", "1"), row("b", "2")}}},
		"missing row": {
			want: rows, got: map[string][]Row{"t": {row("c", "3"), row("a", "1")}},
			differ: []string{`table t: missing row id="b"`},
		},
		"unexpected row": {
			want: rows, got: map[string][]Row{"t": {row("c", "3"), row("a", "1"), row("b", "2"), row("b", "2")}},
			differ: []string{`table t: unexpected row id="b"`},
		},
		"row twice for another": {
			want: rows, got: map[string][]Row{"t": {row("a", "1"), row("a", "1"), row("b", "2")}},
			differ: []string{"table t: row id=\"c\" differs\n  id: want \"c\", got \"a\"\n  n: want 3, got 1"},
		},
		"rows exchanged values": {
			want: rows, got: map[string][]Row{"t": {row("a", "1"), row("b", "3"), row("c", "2")}},
			differ: []string{`table t: row id="b" differs`, `table t: row id="c" differs`},
		},
		"missing column": {
			want: `"t": [{"id": "a", "n": null}]`, got: map[string][]Row{"t": {{"id": "a"}}},
			differ: []string{"table t: row id=\"a\" differs\n  n: want null, got no such column"},
		},
		"unexpected column": {
			want: `"t": [{"id": "a"}]`, got: map[string][]Row{"t": {{"id": "a", "n": nil}}},
			differ: []string{"table t: row id=\"a\" differs\n  n: want no such column, got null"},
		},
		"missing table":    {want: rows, got: map[string][]Row{}, differ: []string{"table t: missing"}},
		"unexpected table": {want: "", got: map[string][]Row{"t": {}}, differ: []string{"table t: unexpected, with 0 rows"}},
		"tokens find their rows": {
			want: linked, got: map[string][]Row{"t": {row(uuid1, "1"), row(uuid2, "1")}, "of": {{"n": pyjson.Int("7"), "t": uuid1}}},
		},
		"token for two values": {
			want: linked, got: map[string][]Row{"t": {row(uuid1, "1"), row(uuid2, "1")}, "of": {{"n": pyjson.Int("7"), "t": uuid3}}},
			differ: []string{"table "},
		},
		"value for two tokens": {
			want: linked, got: map[string][]Row{"t": {row(uuid1, "1"), row(uuid1, "1")}, "of": {{"n": pyjson.Int("7"), "t": uuid1}}},
			differ: []string{"table t: row id=$uuid u"},
		},
		"value twice within a row": {
			want:   `"t": [{"a": {"$volatile": "uuid", "token": "u1"}, "b": {"$volatile": "uuid", "token": "u1"}}]`,
			got:    map[string][]Row{"t": {{"a": uuid1, "b": uuid2}}},
			differ: []string{"table t: row a=$uuid u1 b=$uuid u1: b: token u1 is another value elsewhere"},
		},
		"a UUID that is no token": {
			want: `"t": [{"n": 1, "id": {"$volatile": "uuid", "token": "u1"}}, {"n": 1, "id": "` + uuid1 + `"}]`,
			got:  map[string][]Row{"t": {row(uuid1, "1"), row(uuid2, "1")}},
		},
		"lists without an order": {
			want: `"t": [{"j": {"$json": {"tags": ["a", "b"]}}, "k": {"$text_json": []}}]`, unordered: "t.j -> tags",
			got: map[string][]Row{"t": {{"j": JSON{pyjson.NewObject("tags", []pyjson.Value{"b", "a"})}, "k": "[]"}}},
		},
		"lists with an order": {
			want:   `"t": [{"j": {"$json": {"tags": ["a", "b"]}}}]`,
			got:    map[string][]Row{"t": {{"j": JSON{pyjson.NewObject("tags", []pyjson.Value{"b", "a"})}}}},
			differ: []string{"table t: row j="},
		},
		"other list without an order": {
			want: `"t": [{"j": {"$json": {"tags": ["a", "b"]}}}]`, unordered: "t.j -> tags",
			got:    map[string][]Row{"t": {{"j": JSON{pyjson.NewObject("tags", []pyjson.Value{"b", "a", "a"})}}}},
			differ: []string{"table t: row j="},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var unordered []string
			if tt.unordered != "" {
				unordered = []string{tt.unordered}
			}
			got := Compare(parse(t, tt.want, unordered...), live(step.Postgres, tt.got))
			if len(got) != len(tt.differ) {
				t.Fatalf("Compare() = %q, want %d differences", got, len(tt.differ))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.differ[i]) {
					t.Errorf("difference %q, want %q", got[i], tt.differ[i])
				}
			}
		})
	}
}

// TestManyTokens pairs rows that only a chain of tokens tells apart, and sees
// when the chain is closed at the wrong place.
func TestManyTokens(t *testing.T) {
	t.Parallel()
	const n = 60
	id := func(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }
	var list []string
	var rows []Row
	for i := range n {
		list = append(list, fmt.Sprintf(`{"id": {"$volatile": "uuid", "token": "u%d"}, "next": {"$volatile": "uuid", "token": "u%d"}}`, i, i+1))
		rows = append(rows, Row{"id": id((i*7 + 30) % n), "next": id((i*7+30)%n + 1)})
	}
	want := parse(t, `"t": [`+strings.Join(list, ",")+`]`)
	if got := Compare(want, live(step.Postgres, map[string][]Row{"t": rows})); got != nil {
		t.Errorf("Compare() = %q", got)
	}
	rows[n-1]["next"] = rows[n/2]["id"]
	if got := Compare(want, live(step.Postgres, map[string][]Row{"t": rows})); len(got) != 1 {
		t.Errorf("Compare() = %q, want one difference", got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"no JSON":          `{`,
		"no tables":        `{"empty_tables": []}`,
		"no empty tables":  `{"tables": {}}`,
		"table twice":      `{"tables": {"t": []}, "empty_tables": ["t"]}`,
		"rows":             `{"tables": {"t": {}}, "empty_tables": []}`,
		"row":              `{"tables": {"t": [1]}, "empty_tables": []}`,
		"list in a cell":   `{"tables": {"t": [{"c": []}]}, "empty_tables": []}`,
		"object in a cell": `{"tables": {"t": [{"c": {}}]}, "empty_tables": []}`,
		"unknown mark":     `{"tables": {"t": [{"c": {"$xml": 1}}]}, "empty_tables": []}`,
		"two marks":        `{"tables": {"t": [{"c": {"$json": 1, "$text_json": 1}}]}, "empty_tables": []}`,
		"unknown kind":     `{"tables": {"t": [{"c": {"$volatile": "dice"}}]}, "empty_tables": []}`,
		"UUID, no name":    `{"tables": {"t": [{"c": {"$volatile": "uuid"}}]}, "empty_tables": []}`,
		"clock, a name":    `{"tables": {"t": [{"c": {"$volatile": "now", "token": "u1"}}]}, "empty_tables": []}`,
		"unknown number":   `{"tables": {"t": [{"c": {"$json": {"a": [{"$nonfinite": "nan"}]}}}]}, "empty_tables": []}`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d, err := parseDatabase(text, nil); err == nil {
				t.Errorf("read as %v", d.Tables)
			}
		})
	}
}
