package openwebui

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/postgres"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// usersTable is what the records insert a row into.
const usersTable = `CREATE TABLE "user" (id text, name text, email text, role text, profile_image_url text,
	created_at bigint, updated_at bigint, last_active_at bigint);`

// The tables as they are before revision 10, and before 22 but for its new one,
// on each engine; looseTables as they are before 22 in a database that was born
// with Alembic.
var (
	modelTables = map[step.Dialect]string{
		step.Postgres: usersTable + `
			CREATE TABLE modelfile (id serial PRIMARY KEY, tag_name varchar(255) NOT NULL, user_id varchar(255) NOT NULL,
				modelfile text NOT NULL, "timestamp" bigint NOT NULL);
			CREATE UNIQUE INDEX modelfile_tag_name ON modelfile (tag_name);
			CREATE TABLE model (id text NOT NULL, user_id text NOT NULL, base_model_id text, name text NOT NULL, meta text NOT NULL,
				params text NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL);
			CREATE UNIQUE INDEX model_id ON model (id);`,
		step.SQLite: usersTable + `
			CREATE TABLE "modelfile" ("id" INTEGER NOT NULL PRIMARY KEY, "tag_name" VARCHAR(255) NOT NULL, "user_id" VARCHAR(255) NOT NULL,
				"modelfile" TEXT NOT NULL, "timestamp" INTEGER NOT NULL);
			CREATE UNIQUE INDEX "modelfile_tag_name" ON "modelfile" ("tag_name");
			CREATE TABLE "model" ("id" TEXT NOT NULL, "user_id" TEXT NOT NULL, "base_model_id" TEXT, "name" TEXT NOT NULL, "meta" TEXT NOT NULL,
				"params" TEXT NOT NULL, "created_at" INTEGER NOT NULL, "updated_at" INTEGER NOT NULL);
			CREATE UNIQUE INDEX "model_id" ON "model" ("id");`,
	}
	documentTables = map[step.Dialect]string{
		step.Postgres: usersTable + knowledgeTables[step.Postgres] + `
			CREATE TABLE document (id serial PRIMARY KEY, collection_name varchar(255) NOT NULL, name varchar(255) NOT NULL, title text NOT NULL,
				filename text NOT NULL, content text, user_id varchar(255) NOT NULL, "timestamp" bigint NOT NULL);`,
		step.SQLite: usersTable + knowledgeTables[step.SQLite] + `
			CREATE TABLE "document" ("id" INTEGER NOT NULL PRIMARY KEY, "collection_name" VARCHAR(255) NOT NULL, "name" VARCHAR(255) NOT NULL,
				"title" TEXT NOT NULL, "filename" TEXT NOT NULL, "content" TEXT, "user_id" VARCHAR(255) NOT NULL, "timestamp" INTEGER NOT NULL);`,
	}
	looseTables = map[step.Dialect]string{
		step.Postgres: knowledgeTables[step.Postgres] + `
			CREATE TABLE document (collection_name varchar PRIMARY KEY, name varchar UNIQUE, title text, filename text, content text,
				user_id varchar, "timestamp" bigint);`,
		step.SQLite: knowledgeTables[step.SQLite] + `
			CREATE TABLE document (collection_name VARCHAR NOT NULL, name VARCHAR, title TEXT, filename TEXT, content TEXT,
				user_id VARCHAR, timestamp BIGINT, PRIMARY KEY (collection_name), UNIQUE (name));`,
	}
	knowledgeTables = map[step.Dialect]string{
		step.Postgres: `CREATE TABLE knowledge (id text PRIMARY KEY, user_id text NOT NULL, name text NOT NULL, description text, data json,
			meta json, created_at bigint NOT NULL, updated_at bigint);`,
		step.SQLite: `CREATE TABLE knowledge (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT, data JSON,
			meta JSON, created_at BIGINT NOT NULL, updated_at BIGINT);`,
	}
)

var openDatabase = map[step.Dialect]func(t *testing.T) *sql.DB{
	step.Postgres: func(t *testing.T) *sql.DB {
		t.Helper()
		return postgres.Open(t, postgres.Shared(t).NewDatabase(t))
	},
	step.SQLite: func(t *testing.T) *sql.DB {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "t.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	},
}

// onEach runs a test with the given tables on each engine.
func onEach(t *testing.T, tables map[step.Dialect]string, test func(t *testing.T, db *sql.DB, dialect step.Dialect)) {
	t.Helper()
	for dialect, open := range openDatabase {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			db := open(t)
			exec(t, db, tables[dialect])
			test(t, db, dialect)
		})
	}
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// check runs a check by its name, in a transaction that may not write.
func check(t *testing.T, db *sql.DB, dialect step.Dialect, name string) int64 {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: dialect == step.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	n, err := Steps().Checks[name](t.Context(), step.NewCheckRun(tx, dialect))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// apply runs a step by its name and commits unless it fails. It returns the
// last progress.
func apply(t *testing.T, db *sql.DB, dialect step.Dialect, name string) (done, total int64, err error) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	run := step.NewRun(tx, dialect, func(d, n int64) { done, total = d, n })
	if err := Steps().Steps[name](t.Context(), run); err != nil {
		if rollbackErr := tx.Rollback(); rollbackErr != nil {
			t.Error(rollbackErr)
		}
		return done, total, err
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return done, total, nil
}

// rows returns the live rows of a table by id.
func rows(t *testing.T, db *sql.DB, dialect step.Dialect, table string) map[string]recorded.Row {
	t.Helper()
	d, err := recorded.Dump(t.Context(), db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]recorded.Row{}
	for _, row := range d.Tables[table] {
		byID[fmt.Sprint(row["id"])] = row
	}
	return byID
}

func wantDataError(t *testing.T, err error, table string, n int64) {
	t.Helper()
	var data *step.DataError
	if !errors.As(err, &data) || data.Table != table || data.Rows != n || data.Reason == "" {
		t.Errorf("the error is %v, want %d rows of %s", err, n, table)
	}
}

const insertModelfile = `INSERT INTO modelfile (tag_name, user_id, modelfile, "timestamp") VALUES ($1, $2, $3, $4)`

// community is a user that a model file did not name.
const community = `"user": {"community": true}`

func TestModelfilesToModels(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		modelfile, name string
		base            recorded.Cell
		meta, params    string
	}{
		"plain": {
			modelfile: ` {"tagName": "x", "title": "T\u00e4", "content": "FROM a\nPARAMETER temperature 1e400", "desc": "d", "imageUrl": "/i.png",
				"suggestionPrompts": [{"content": "c", "n": 1.50}], "categories": ["k"], "user": {"community": false, "name": "n"}} `,
			name: "Tä", base: "a", params: `{"temperature": Infinity}`,
			meta: `{"description": "d", "profile_image_url": "/i.png", "ollama": {"modelfile": "FROM a\nPARAMETER temperature 1e400"},` +
				` "suggestion_prompts": [{"content": "c", "n": 1.5}], "categories": ["k"], "user": {"community": true, "name": "n"}}`,
		},
		"least": {
			modelfile: `{"title": "", "content": ""}`, params: "{}",
			meta: `{"description": null, "profile_image_url": null, "ollama": {"modelfile": ""}, "suggestion_prompts": null, "categories": null, ` + community + `}`,
		},
		"beyond standard JSON": {
			modelfile: `{"title": "x", "title": "t", "content": "SYSTEM \ud800\u0000", "desc": NaN, "imageUrl": -Infinity, "categories": 12345678901234567890123, "user": {}}`,
			name:      "t", params: `{"system": "\ud800\u0000"}`,
			meta: `{"description": NaN, "profile_image_url": -Infinity, "ollama": {"modelfile": "SYSTEM \ud800\u0000"},` +
				` "suggestion_prompts": null, "categories": 12345678901234567890123, ` + community + `}`,
		},
		"title is a number": {
			modelfile: `{"title": -7, "content": ""}`, name: "-7", params: "{}",
			meta: `{"description": null, "profile_image_url": null, "ollama": {"modelfile": ""}, "suggestion_prompts": null, "categories": null, ` + community + `}`,
		},
		"title is a float": {
			modelfile: `{"title": 1e16, "content": ""}`, name: "1e+16", params: "{}",
			meta: `{"description": null, "profile_image_url": null, "ollama": {"modelfile": ""}, "suggestion_prompts": null, "categories": null, ` + community + `}`,
		},
		"title is true": {
			modelfile: `{"title": true, "content": ""}`, name: "True", params: "{}",
			meta: `{"description": null, "profile_image_url": null, "ollama": {"modelfile": ""}, "suggestion_prompts": null, "categories": null, ` + community + `}`,
		},
		"title is false": {
			modelfile: `{"title": false, "content": ""}`, name: "False", params: "{}",
			meta: `{"description": null, "profile_image_url": null, "ollama": {"modelfile": ""}, "suggestion_prompts": null, "categories": null, ` + community + `}`,
		},
	}
	onEach(t, modelTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO model VALUES ('other', 'u', NULL, 'n', '{}', '{}', 1, 2)`)
		want := map[string]recorded.Row{"other": {
			"id": "other", "user_id": "u", "base_model_id": nil, "name": "n", "meta": "{}", "params": "{}",
			"created_at": pyjson.Int("1"), "updated_at": pyjson.Int("2"),
		}}
		for tag, tt := range tests {
			exec(t, db, insertModelfile, tag, "user-1", tt.modelfile, int64(9007199254740993))
			want["ollama-"+tag] = recorded.Row{
				"id": "ollama-" + tag, "user_id": "user-1", "base_model_id": tt.base, "name": tt.name, "meta": tt.meta, "params": tt.params,
				"created_at": pyjson.Int("9007199254740993"), "updated_at": pyjson.Int("9007199254740993"),
			}
		}
		if n := check(t, db, dialect, "modelfile_json"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		done, total, err := apply(t, db, dialect, "modelfiles_to_models")
		if err != nil || done != int64(len(tests)) || total != done {
			t.Fatalf("%d of %d rows were done: %v", done, total, err)
		}
		if diff := cmp.Diff(want, rows(t, db, dialect, "model")); diff != "" {
			t.Errorf("models (-want +got):\n%s", diff)
		}
	})
}

func TestModelfilesRefused(t *testing.T) {
	t.Parallel()
	const both, postgresOnly = 2, 1
	tests := map[string]struct {
		modelfile string
		engines   int
	}{
		"no JSON":             {`{secret`, both},
		"empty":               {"", both},
		"a list":              {`[]`, both},
		"null":                {`null`, both},
		"no content":          {`{"title": "t"}`, both},
		"content is null":     {`{"title": "t", "content": null}`, both},
		"content is a number": {`{"title": "t", "content": 1}`, both},
		"no title":            {`{"content": ""}`, both},
		"title is null":       {`{"title": null, "content": ""}`, both},
		"title is a list":     {`{"title": [], "content": ""}`, both},
		"title is NaN":        {`{"title": NaN, "content": ""}`, both},
		"half a surrogate":    {`{"title": "\ud800", "content": ""}`, both},
		"zero in the title":   {`{"title": "\u0000", "content": ""}`, postgresOnly},
		"user is null":        {`{"title": "t", "content": "", "user": null}`, both},
		"user is a list":      {`{"title": "t", "content": "", "user": []}`, both},
		"too deep":            {strings.Repeat("[", 2000), both},
	}
	onEach(t, modelTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, insertModelfile, "fine", "u", `{"title": "t", "content": ""}`, 1)
		for tag, tt := range tests {
			exec(t, db, "DELETE FROM modelfile WHERE tag_name <> 'fine'")
			exec(t, db, insertModelfile, tag, "u", tt.modelfile, 1)
			exec(t, db, insertModelfile, "2", "u", tt.modelfile, 1)
			if tt.engines == postgresOnly && dialect != step.Postgres {
				if n := check(t, db, dialect, "modelfile_json"); n != 0 {
					t.Errorf("%s: the check found %d rows", tag, n)
				}
				continue
			}
			if n := check(t, db, dialect, "modelfile_json"); n != 2 {
				t.Errorf("%s: the check found %d rows, want 2", tag, n)
			}
			_, _, err := apply(t, db, dialect, "modelfiles_to_models")
			wantDataError(t, err, "modelfile", 2)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells data: %v", err)
			}
			if n := len(rows(t, db, dialect, "model")); n != 0 {
				t.Errorf("%s: %d rows are left", tag, n)
			}
		}
	})
}

// TestModelIDTaken: the application stops there, too, and so does the database.
func TestModelIDTaken(t *testing.T) {
	t.Parallel()
	onEach(t, modelTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO model VALUES ('ollama-x', 'u', NULL, 'n', '{}', '{}', 1, 2)`)
		exec(t, db, insertModelfile, "x", "u", `{"title": "t", "content": ""}`, 1)
		if _, _, err := apply(t, db, dialect, "modelfiles_to_models"); err == nil {
			t.Error("a model was replaced")
		}
	})
}

const insertDocument = `INSERT INTO document (collection_name, user_id, name, title, filename, content, "timestamp")
	VALUES ($1, $2, $3, $4, $5, $6, $7)`

func TestDocumentsToKnowledge(t *testing.T) {
	t.Parallel()
	everywhere := map[step.Dialect]bool{step.Postgres: true, step.SQLite: true}
	onPostgres := map[step.Dialect]bool{step.Postgres: true, step.SQLite: false}
	deep := strings.Repeat("[", pyjson.MaxDepth-1) + strings.Repeat("]", pyjson.MaxDepth-1)
	tests := map[string]struct {
		content any
		tags    string // as Python reads them
		refused map[step.Dialect]bool
	}{
		"null":           {nil, "[]", nil},
		"empty":          {"", "[]", nil},
		"empty object":   {" {} ", "[]", nil},
		"other":          {`{"other": 1}`, "[]", nil},
		"tags":           {`{"tags": [{"name": "\u00e4"}, 1.50, 12345678901234567890123]}`, `[{"name": "ä"}, 1.5, 12345678901234567890123]`, nil},
		"tags are null":  {`{"tags": null}`, "null", nil},
		"tags are text":  {`{"tags": "t"}`, `"t"`, nil},
		"tags twice":     {`{"tags": 1, "tags": 2}`, "2", nil},
		"half":           {`{"tags": ["\ud800", "\u0000", "\ud83d\ude00"]}`, `["\ud800", "\u0000", "\ud83d\ude00"]`, nil},
		"deep":           {`{"tags": ` + deep + `}`, deep, nil},
		"NaN elsewhere":  {`{"other": NaN}`, "[]", nil},
		"NaN":            {`{"tags": [NaN]}`, "[NaN]", onPostgres},
		"infinity":       {`{"tags": {"a": 1e400}}`, `{"a": Infinity}`, onPostgres},
		"no JSON":        {"oops {", "", everywhere},
		"white":          {" ", "", everywhere},
		"a list":         {"[]", "", everywhere},
		"JSON null":      {"null", "", everywhere},
		"JSON zero":      {"0", "", everywhere},
		"too many tags'": {`{"tags": ` + deep[:2] + deep + `}`, "", everywhere},
	}
	for shape, tables := range map[string]map[step.Dialect]string{"peewee": documentTables, "alembic": looseTables} {
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			onEach(t, tables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
				t.Helper()
				want := map[string]recorded.Row{}
				var refused int64
				for id, tt := range tests {
					exec(t, db, insertDocument, id, "user-1", "name of "+id, "title of "+id, "f", tt.content, int64(1714000001))
					if tt.refused[dialect] {
						refused++
						continue
					}
					tags, err := pyjson.Decode(tt.tags)
					if err != nil {
						t.Fatal(err)
					}
					want[id] = recorded.Row{
						"id": id, "user_id": "user-1", "name": "title of " + id, "description": "name of " + id, "data": nil,
						"meta":       recorded.JSON{Value: pyjson.NewObject("legacy", true, "document", true, "tags", tags)},
						"created_at": pyjson.Int("1714000001"), "updated_at": pyjson.Int("1714000001"),
					}
				}
				if n := check(t, db, dialect, "document_content_json"); n != refused {
					t.Errorf("the check found %d rows, want %d", n, refused)
				}
				_, _, err := apply(t, db, dialect, "documents_to_knowledge")
				wantDataError(t, err, "document", refused)
				for id, tt := range tests {
					if tt.refused[dialect] {
						exec(t, db, "DELETE FROM document WHERE collection_name = $1", id)
					}
				}
				if n := check(t, db, dialect, "document_content_json"); n != 0 {
					t.Errorf("the check found %d rows, want none", n)
				}
				if _, _, err := apply(t, db, dialect, "documents_to_knowledge"); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, rows(t, db, dialect, "knowledge"), cmp.Comparer(sameJSON)); diff != "" {
					t.Errorf("knowledge (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func sameJSON(a, b recorded.JSON) bool { return pyjson.Equal(a.Value, b.Value) }

// TestLooseDocuments have what only databases born with Alembic allow.
func TestLooseDocuments(t *testing.T) {
	t.Parallel()
	onEach(t, looseTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, insertDocument, "c", "u", nil, "t", nil, nil, 1)
		if _, _, err := apply(t, db, dialect, "documents_to_knowledge"); err != nil {
			t.Fatal(err)
		}
		if description := rows(t, db, dialect, "knowledge")["c"]["description"]; description != nil {
			t.Errorf("the description is %v, want NULL", description)
		}
		exec(t, db, "DELETE FROM knowledge")
		for column, value := range map[string]string{"title": "'t'", "user_id": "'u'", `"timestamp"`: "1"} {
			exec(t, db, "UPDATE document SET "+column+" = NULL")
			if _, _, err := apply(t, db, dialect, "documents_to_knowledge"); err == nil {
				t.Errorf("a document without %s was copied", column)
			}
			exec(t, db, "UPDATE document SET "+column+" = "+value)
		}
	})
}

// TestManyDocuments takes more than one batch.
func TestManyDocuments(t *testing.T) {
	t.Parallel()
	const n = 3000
	onEach(t, documentTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO document (collection_name, name, title, filename, content, user_id, "timestamp")
			SELECT 'c-' || i, 'n-' || i, 't', 'f', '{"tags": [' || i || ']}', 'u', i FROM n`, n))
		if done, total, err := apply(t, db, dialect, "documents_to_knowledge"); err != nil || done != n || total != n {
			t.Fatalf("%d of %d rows were done: %v", done, total, err)
		}
		got := rows(t, db, dialect, "knowledge")
		last := fmt.Sprintf("c-%d", n)
		if len(got) != n || got[last]["created_at"] != pyjson.Int(fmt.Sprint(n)) {
			t.Errorf("%d rows, the last is %v", len(got), got[last])
		}
	})
}

func TestStepsEndWithTheContext(t *testing.T) {
	t.Parallel()
	onEach(t, documentTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, fn := range Steps().Steps {
			if err := fn(ctx, step.NewRun(tx, dialect, nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want the context's error", name, err)
			}
		}
	})
}
