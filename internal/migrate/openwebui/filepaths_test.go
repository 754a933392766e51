package openwebui

import (
	"database/sql"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

func TestFilePaths(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		meta any
		// The path on each engine.
		postgres, sqlite any
	}{
		"none":           {nil, nil, nil},
		"text":           {`{"name": "n", "path": "/ü/\u00e9.txt"}`, "/ü/é.txt", "/ü/é.txt"},
		"twice":          {`{"path": 1, "path": "b"}`, "b", "b"},
		"empty":          {` {"path": ""} `, "", ""},
		"null":           {`{"path": null}`, nil, nil},
		"no path":        {`{"Path": "x"}`, nil, nil},
		"integer":        {`{"path": -12}`, "-12", "-12"},
		"float":          {`{"path": 1e3}`, "1000.0", "1000.0"},
		"true":           {`{"path": true}`, "true", "1"},
		"list":           {`["other", ["path"], {"path": 1}]`, nil, nil},
		"string":         {`"pat h"`, nil, nil},
		"zero elsewhere": {`{"x": "\u0000\ud800", "path": "p"}`, "p", "p"},
	}
	onEach(t, sameTables(`CREATE TABLE file (id text PRIMARY KEY, meta text, path text)`), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		want := map[string]any{}
		for id, tt := range tests {
			exec(t, db, `INSERT INTO file (id, meta) VALUES ($1, $2)`, id, tt.meta)
			want[id] = tt.sqlite
			if dialect == step.Postgres {
				want[id] = tt.postgres
			}
		}
		if n := check(t, db, dialect, "file_meta_json"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		if _, _, err := apply(t, db, dialect, "file_paths"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, byID(t, db, "SELECT id, path FROM file")); diff != "" {
			t.Errorf("paths (-want +got):\n%s", diff)
		}
	})
}

func TestFilePathsRefused(t *testing.T) {
	t.Parallel()
	const both, onlyPostgres = 2, 1
	tests := map[string]struct {
		meta    string
		engines int
	}{
		"empty":          {"", both},
		"broken":         {"{secret", both},
		"null":           {"null", both},
		"number":         {"7", both},
		"true":           {"true", both},
		"named in text":  {`"a path"`, both},
		"named in list":  {`[1, "path"]`, both},
		"path is list":   {`{"path": []}`, both},
		"path is object": {`{"path": {}}`, both},
		"half":           {`{"path": "\udc00"}`, both},
		"zero":           {`{"path": "\u0000"}`, onlyPostgres},
		"NaN elsewhere":  {`{"path": "p", "x": NaN}`, onlyPostgres},
	}
	onEach(t, sameTables(`CREATE TABLE file (id text PRIMARY KEY, meta text, path text)`), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for name, tt := range tests {
			exec(t, db, `DELETE FROM file`)
			exec(t, db, `INSERT INTO file (id, meta) VALUES ('a', '{"path": "x"}'), ('b', $1), ('c', $1)`, tt.meta)
			found := check(t, db, dialect, "file_meta_json")
			_, _, err := apply(t, db, dialect, "file_paths")
			if tt.engines == onlyPostgres && dialect != step.Postgres {
				if found != 0 || err != nil {
					t.Errorf("%s: the check found %d rows, and the step: %v", name, found, err)
				}
				continue
			}
			if found != 2 {
				t.Errorf("%s: the check found %d rows, want 2", name, found)
			}
			wantDataError(t, err, "file", 2)
		}
	})
}
