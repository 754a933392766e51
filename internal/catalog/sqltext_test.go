package catalog

import (
	"strings"
	"testing"
)

func TestUnqualify(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ prefix, in, want string }{
		"nothing to do":         {"app", "lower(name)", "lower(name)"},
		"type":                  {"app", "'x'::app.mood", "'x'::mood"},
		"table of an index":     {"app", "CREATE INDEX i ON app.t USING btree (a)", "CREATE INDEX i ON t USING btree (a)"},
		"sequence":              {"app", "nextval('app.s'::regclass)", "nextval('s'::regclass)"},
		"quoted sequence":       {`"My app"`, `nextval('"My app"."o''clock"'::regclass)`, `nextval('"o''clock"'::regclass)`},
		"text that looks alike": {"app", "'app.s'::text || 'say ''app.x'''", "'app.s'::text || 'say ''app.x'''"},
		"column named alike":    {"app", "(t.app).x", "(t.app).x"},
		"another, longer name":  {"app", "myapp.f(app2.x)", "myapp.f(app2.x)"},
		"table named alike":     {"app", "other.app.x", "other.app.x"},
		"several":               {"app", "app.f(a) + app.g(b)", "f(a) + g(b)"},
	} {
		if got := unqualify(tt.in, tt.prefix); got != tt.want {
			t.Errorf("%s: %s became %s, want %s", name, tt.in, got, tt.want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "VARCHAR(255)": "varchar ( 255 )", `"id"`: "id", "[two words]": `"two words"`, "`a``b`": "\"a`b\"",
		`"a""b"`: `"a""b"`, "'It''s'": "'It''s'", "a -- b\n+/* c */ d": "a + d", `"1a"`: `"1a"`, "Äpfel": "äpfel",
		"x'0A'": "x '0A'",
	} {
		if got := plain(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

// A database can hold anything as the words of a table, because users can write
// to SQLite's own tables.
func FuzzSQLiteTable(f *testing.F) {
	for _, seed := range []string{
		"CREATE TABLE t (a TEXT UNIQUE, CONSTRAINT c CHECK (a > '('), FOREIGN KEY (a) REFERENCES t (a))",
		"CREATE TABLE t", "CREATE TABLE t (", "CREATE TABLE t (a, UNIQUE (", "CREATE TABLE t ())", "CREATE TABLE t (a CHECK, PRIMARY KEY)",
		"CREATE TABLE t (CONSTRAINT", "'", `"`, "[", "`", "/*", "--", "CREATE TABLE t (a AS (b), DEFAULT (", ",,(,",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		parseSQLiteTable(sql)
		if once := plain(sql); plain(once) != once && !strings.ContainsAny(sql, "[]\"`'") {
			t.Errorf("%q is not spelled in one way: %q and then %q", sql, once, plain(once))
		}
	})
}
