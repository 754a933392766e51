package openwebui

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// settingsTables has both tables of revision 63 at once, so that the check and
// the step can be run on the same rows.
var settingsTables = map[step.Dialect]string{
	step.Postgres: `
		CREATE TABLE config_old (id serial PRIMARY KEY, data json NOT NULL);
		CREATE TABLE config (key text PRIMARY KEY, value json NOT NULL, updated_at bigint);`,
	step.SQLite: `
		CREATE TABLE config_old (id INTEGER NOT NULL PRIMARY KEY, data JSON NOT NULL);
		CREATE TABLE config ("key" TEXT NOT NULL PRIMARY KEY, value JSON NOT NULL, updated_at BIGINT);`,
}

// settingsRefused counts what the check refuses while the document is still in
// config.
func settingsRefused(t *testing.T, db *sql.DB, dialect step.Dialect) int64 {
	t.Helper()
	exec(t, db, "ALTER TABLE config RENAME TO config_new")
	exec(t, db, "ALTER TABLE config_old RENAME TO config")
	n := check(t, db, dialect, "config_document")
	exec(t, db, "ALTER TABLE config RENAME TO config_old")
	exec(t, db, "ALTER TABLE config_new RENAME TO config")
	return n
}

// settingRows returns the rows of config, spelled as one object.
func settingRows(t *testing.T, db *sql.DB, dialect step.Dialect) *pyjson.Object {
	t.Helper()
	d, err := recorded.Dump(t.Context(), db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	out := &pyjson.Object{}
	for _, row := range d.Tables["config"] {
		value, ok := row["value"].(recorded.JSON)
		if !ok {
			t.Fatalf("the value of %v is no JSON", row)
		}
		key, ok := row["key"].(string)
		if !ok {
			t.Fatalf("the key of %v is no text", row)
		}
		out.Set(key, value.Value)
	}
	return out
}

func TestSettingsToRows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ document, want string }{
		"leaves":                {`{"a": {"b": 1, "c": {"d": null}}, "e": [{"f": 1}], "g": "t", "h": false}`, `{"a.b": 1, "a.c.d": null, "e": [{"f": 1}], "g": "t", "h": false}`},
		"empty objects":         {`{"a": {}, "b": {"c": {}}}`, `{}`},
		"a known object":        {`{"openai": {"api_configs": {"0": {"x": 1}}, "other": {"x": 1}}}`, `{"openai.api_configs": {"0": {"x": 1}}, "openai.other.x": 1}`},
		"a known empty object":  {`{"openai": {"api_configs": {}}}`, `{"openai.api_configs": {}}`},
		"a known path at once":  {`{"openai.api_configs": {"0": 1}}`, `{"openai.api_configs": {"0": 1}}`},
		"an old name":           {`{"ADMIN_EMAIL": {"x": 1}}`, `{"auth.admin.email": {"x": 1}}`},
		"an old name inside":    {`{"x": {"ADMIN_EMAIL": {"y": 1}}}`, `{"x.ADMIN_EMAIL.y": 1}`},
		"a moved path":          {`{"rag": {"ollama": {"url": "u"}}}`, `{"rag.ollama.base_url": "u"}`},
		"an old name, moved":    {`{"OAUTH_CLIENT_ID": "c"}`, `{"oauth.client_id": "c"}`},
		"the first key counts":  {`{"oauth": {"client_id": "new", "oidc": {"client_id": "old"}}, "OAUTH_CLIENT_ID": "name"}`, `{"oauth.client_id": "new"}`},
		"the last path counts":  {`{"a": {"b": 1}, "c": 2, "a.b": 3}`, `{"a.b": 3, "c": 2}`},
		"in the place of first": {`{"rag": {"ollama": {"url": 1}}, "rag.ollama.base_url": 2, "rag.ollama.url": 3}`, `{"rag.ollama.base_url": 3}`},
		"names with dots":       {`{"a.b": {"c.d": 1}, "e.": 2}`, `{"a.b.c.d": 1, "e.": 2}`},
		"empty names":           {`{"": {"a": 1, "b": {"": 2}}}`, `{"a": 1, "b.": 2}`},
		"an empty path":         {`{"": 1}`, `{"": 1}`},
		"in a string":           {`"{\"a\": {\"b\": [1.50, 12345678901234567890123]}}"`, `{"a.b": [1.5, 12345678901234567890123]}`},
		"half a surrogate":      {`{"a": "\ud800\u0000"}`, `{"a": "\ud800\u0000"}`},
		"no JSON in a string":   {`"{a"`, `{}`},
		"an empty string":       {`""`, `{}`},
		"null in a string":      {`"null"`, `{}`},
		"null":                  {`null`, `{}`},
		"an empty object":       {` {} `, `{}`},
		"an empty list":         {`[]`, `{}`},
		"false":                 {`false`, `{}`},
		"zero":                  {`0`, `{}`},
	}
	onEach(t, settingsTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for name, tt := range tests {
			exec(t, db, "DELETE FROM config")
			exec(t, db, "DELETE FROM config_old")
			exec(t, db, "INSERT INTO config_old (id, data) VALUES (7, $1), (3, '[1]'), (6, '{\"old\": 1}')", tt.document)
			if n := settingsRefused(t, db, dialect); n != 0 {
				t.Errorf("%s: the check found %d rows", name, n)
			}
			if _, _, err := apply(t, db, dialect, "config_to_rows"); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want, err := pyjson.Decode(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if got := settingRows(t, db, dialect); !pyjson.Equal(want, got) {
				t.Errorf("%s: the settings are %s, want %s", name, pyjson.Encode(got), tt.want)
			}
		}
	})
}

func TestNoSettings(t *testing.T) {
	t.Parallel()
	onEach(t, settingsTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		if n := settingsRefused(t, db, dialect); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		if _, _, err := apply(t, db, dialect, "config_to_rows"); err != nil {
			t.Fatal(err)
		}
		if n := settingRows(t, db, dialect).Len(); n != 0 {
			t.Errorf("there are %d settings", n)
		}
	})
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	const both, postgresOnly, sqliteOnly = 3, 1, 2 // the engines as bits
	tests := map[string]struct {
		document string
		engines  int
	}{
		"a list":                   {`["secret"]`, both},
		"a list in a string":       {`"[1]"`, both},
		"a string in a string":     {`"\"{}\""`, both},
		"a number":                 {`5`, both},
		"true":                     {`true`, both},
		"half a surrogate":         {`"{\"a\": \"\ud800\"}"`, both},
		"half a surrogate as name": {`{"a\ud800": 1}`, both},
		"zero as name":             {`{"a\u0000": 1}`, postgresOnly},
		"infinity":                 {`{"a": {"b": [1e400]}}`, postgresOnly},
		"NaN in a string":          {`"{\"a\": NaN}"`, postgresOnly},
		"no JSON":                  {`{secret`, sqliteOnly}, // PostgreSQL stores no such document
	}
	onEach(t, settingsTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		mine := map[step.Dialect]int{step.Postgres: postgresOnly, step.SQLite: sqliteOnly}[dialect]
		for name, tt := range tests {
			if tt.engines == sqliteOnly && dialect == step.Postgres {
				continue
			}
			exec(t, db, "DELETE FROM config")
			exec(t, db, "DELETE FROM config_old")
			exec(t, db, "INSERT INTO config_old (id, data) VALUES (1, $1)", tt.document)
			n := settingsRefused(t, db, dialect)
			_, _, err := apply(t, db, dialect, "config_to_rows")
			if tt.engines&mine == 0 {
				if n != 0 || err != nil {
					t.Errorf("%s: the check found %d rows, and the step: %v", name, n, err)
				}
				continue
			}
			if n != 1 {
				t.Errorf("%s: the check found %d rows, want 1", name, n)
			}
			wantDataError(t, err, "config", 1)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells data: %v", err)
			}
			exec(t, db, "INSERT INTO config_old (id, data) VALUES (2, '{}')")
			if n := settingsRefused(t, db, dialect); n != 0 {
				t.Errorf("%s: the check found %d rows, although there is a newer one", name, n)
			}
		}
	})
}

// TestKnownSettings: every line must be whole, and a name must lead to the same
// key by all of its lines.
func TestKnownSettings(t *testing.T) {
	t.Parallel()
	known, paths := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(settingsText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || len(fields) > 3 || paths[fields[0]] {
			t.Fatalf("this line is not one of a new setting: %q", line)
		}
		path, name := fields[0], fields[1]
		if paths[name] || strings.Contains(name, ".") {
			t.Errorf("the name %s is a path", name)
		}
		if key, ok := known[name]; ok && key != settingKey(path) {
			t.Errorf("the name %s leads to %s and to %s", name, key, settingKey(path))
		}
		paths[path], known[name] = true, settingKey(path)
	}
}

func TestRecordedSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(recorded.Dir(t), "config-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var facts struct {
		KnownPaths []string          `json:"known_paths"`
		Rewrites   map[string]string `json:"rewrites"`
		Keys       map[string]string `json:"storage_key_by_legacy_name"`
	}
	if err := json.Unmarshal(text, &facts); err != nil {
		t.Fatal(err)
	}
	want := facts.Keys
	for _, path := range facts.KnownPaths {
		want[path] = cmp.Or(facts.Rewrites[path], path)
	}
	if diff := gocmp.Diff(want, settingKeys); diff != "" {
		t.Errorf("keys (-recorded +ours):\n%s", diff)
	}
}
