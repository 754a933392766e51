package openwebui

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// linkTables are the tables of both revisions as they are in between: the new
// ones are there, and so are the lists.
func linkTables() map[step.Dialect]string {
	const tables = `
		CREATE TABLE "user" (id varchar(255) PRIMARY KEY);
		CREATE TABLE "group" (id text PRIMARY KEY, user_ids json);
		CREATE TABLE group_member (id text PRIMARY KEY, group_id text NOT NULL REFERENCES "group" (id), user_id text NOT NULL,
			created_at bigint, updated_at bigint, UNIQUE (group_id, user_id)%s);
		CREATE TABLE file (id text PRIMARY KEY);
		CREATE TABLE knowledge (id text PRIMARY KEY, user_id text NOT NULL, data json);
		CREATE TABLE knowledge_file (id text PRIMARY KEY, user_id text NOT NULL, knowledge_id text NOT NULL REFERENCES knowledge (id),
			file_id text NOT NULL REFERENCES file (id), created_at bigint NOT NULL, updated_at bigint NOT NULL, UNIQUE (knowledge_id, file_id));
		INSERT INTO "user" (id) VALUES ('u1'), ('u2'), ('ü'), ('5');
		INSERT INTO file (id) VALUES ('f1'), ('f2'), ('ü'), ('5');`
	return map[step.Dialect]string{
		step.Postgres: fmt.Sprintf(tables, `, FOREIGN KEY (user_id) REFERENCES "user" (id)`),
		step.SQLite:   fmt.Sprintf(tables, ""),
	}
}

func TestGroupMembers(t *testing.T) {
	t.Parallel()
	onEach(t, linkTables(), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for id, list := range map[string]any{
			"two": `["u2", "u1"]`, "escaped": `["\u00fc"]`, "number": `[5]`, "inner": `"[\"u1\"]"`,
			"none": nil, "null": "null", "empty": "[]", "object": `{"u1": 1}`, "zero": "0", "string": `"u1"`, "no text": `""`, "inner object": `"{}"`,
		} {
			exec(t, db, `INSERT INTO "group" (id, user_ids) VALUES ($1, $2)`, id, list)
		}
		if n := check(t, db, dialect, "group_user_ids"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		if _, _, err := apply(t, db, dialect, "group_members"); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"two u1": "1", "two u2": "1", "escaped ü": "1", "number 5": "1", "inner u1": "1"}
		got := byID(t, db, `SELECT group_id || ' ' || user_id, count(*) FROM group_member
			WHERE length(id) = 36 AND created_at = updated_at AND created_at > 1700000000 GROUP BY 1`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
	})
}

func TestGroupMembersRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		list string
		// kept says that SQLite takes it.
		kept bool
	}{
		"twice":        {`["u1", "u2", "u1"]`, false},
		"same text":    {`[5, "5"]`, false},
		"null":         {`["u1", null]`, false},
		"list":         {`[["u1"]]`, false},
		"object":       {`[{}]`, false},
		"half":         {`["\ud800"]`, false},
		"inner twice":  {`"[\"u1\", \"u1\"]"`, false},
		"unknown":      {`["u1", "gone"]`, true},
		"unknown only": {`["gone"]`, true},
	}
	onEach(t, linkTables(), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for name, tt := range tests {
			exec(t, db, `DELETE FROM group_member`)
			exec(t, db, `DELETE FROM "group"`)
			exec(t, db, `INSERT INTO "group" (id, user_ids) VALUES ('a', '["u1"]')`)
			exec(t, db, `INSERT INTO "group" (id, user_ids) VALUES ('b', $1), ('c', $1)`, tt.list)
			found := check(t, db, dialect, "group_user_ids")
			_, _, err := apply(t, db, dialect, "group_members")
			if tt.kept && dialect == step.SQLite {
				if found != 0 || err != nil {
					t.Errorf("%s: the check found %d rows, and the step: %v", name, found, err)
				}
				continue
			}
			if found != 2 {
				t.Errorf("%s: the check found %d rows, want 2", name, found)
			}
			wantDataError(t, err, "group", 2)
		}
	})
}

func TestKnowledgeFiles(t *testing.T) {
	t.Parallel()
	onEach(t, linkTables(), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for id, data := range map[string]any{
			"two": `{"file_ids": ["f2", "f1"]}`, "escaped": `{"file_ids": ["\u00fc"]}`, "names": `{"file_ids": {"f1": 1, "gone": 2}}`,
			"letters": `{"file_ids": "5ü"}`, "inner": `"{\"file_ids\": [\"f1\"]}"`, "some": `{"file_ids": ["gone", null, "gone", "f1", "\ud800"]}`,
			"none": nil, "null": "null", "empty": "{}", "no files": `{"file_ids": []}`, "no text": `{"file_ids": ""}`, "other": `{"x": ["f1"]}`,
			"list": `["file_ids"]`, "string": `"file_ids"`, "zero": "0", "zero character": `{"file_ids": ["\u0000", "f2"]}`,
		} {
			exec(t, db, `INSERT INTO knowledge (id, user_id, data) VALUES ($1, 'owner', $2)`, id, data)
		}
		if n := check(t, db, dialect, "knowledge_file_ids"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		if _, _, err := apply(t, db, dialect, "knowledge_files"); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"two f1": "1", "two f2": "1", "escaped ü": "1", "names f1": "1", "letters 5": "1", "letters ü": "1", "inner f1": "1", "some f1": "1",
			"zero character f2": "1",
		}
		got := byID(t, db, `SELECT knowledge_id || ' ' || file_id, count(*) FROM knowledge_file
			WHERE length(id) = 36 AND user_id = 'owner' AND created_at = updated_at AND created_at > 1700000000 GROUP BY 1`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	})
}

func TestKnowledgeFilesRefused(t *testing.T) {
	t.Parallel()
	onEach(t, linkTables(), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for _, data := range []string{
			`{"file_ids": null}`, `{"file_ids": 1}`, `{"file_ids": true}`, `{"file_ids": ["f1", "gone", "f1"]}`, `{"file_ids": [["f1"]]}`,
			`{"file_ids": "ü5ü"}`, `{"file_ids": [{}]}`, `"{\"file_ids\": null}"`,
		} {
			exec(t, db, `DELETE FROM knowledge_file`)
			exec(t, db, `DELETE FROM knowledge`)
			exec(t, db, `INSERT INTO knowledge (id, user_id, data) VALUES ('a', 'u', '{"file_ids": ["f1"]}')`)
			exec(t, db, `INSERT INTO knowledge (id, user_id, data) VALUES ('b', 'u', $1), ('c', 'u', $1)`, data)
			if n := check(t, db, dialect, "knowledge_file_ids"); n != 2 {
				t.Errorf("%s: the check found %d rows, want 2", data, n)
			}
			_, _, err := apply(t, db, dialect, "knowledge_files")
			wantDataError(t, err, "knowledge", 2)
		}
	})
}

// TestTextsThatAreNoJSON are possible on SQLite only, whose type JSON is a name.
func TestTextsThatAreNoJSON(t *testing.T) {
	t.Parallel()
	onEach(t, linkTables(), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		if dialect == step.Postgres {
			return
		}
		exec(t, db, `INSERT INTO "group" (id, user_ids) VALUES ('a', '{broken'), ('b', ''), ('c', '"{broken"'), ('d', '[NaN]')`)
		exec(t, db, `INSERT INTO knowledge (id, user_id, data) VALUES ('a', 'u', '{broken'), ('b', 'u', ''), ('c', 'u', '"{broken"'), ('d', 'u', '{"x": NaN}')`)
		if n := check(t, db, dialect, "group_user_ids"); n != 2 {
			t.Errorf("the check found %d groups, want 2", n)
		}
		if n := check(t, db, dialect, "knowledge_file_ids"); n != 2 {
			t.Errorf("the check found %d rows of knowledge, want 2", n)
		}
	})
}

// TestManyLinks takes more than one batch, with many links in one row.
func TestManyLinks(t *testing.T) {
	t.Parallel()
	onEach(t, linkTables(), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
			INSERT INTO "user" (id) SELECT 'user-' || i FROM n`)
		exec(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
			INSERT INTO "group" (id, user_ids) SELECT 'group-' || i, CAST('["user-' || i || '", "u1"]' AS `+
			map[step.Dialect]string{step.Postgres: "json", step.SQLite: "text"}[dialect]+`) FROM n`)
		all := ""
		for i := range 3000 {
			all += fmt.Sprintf(`, "user-%d"`, i+1)
		}
		exec(t, db, `INSERT INTO "group" (id, user_ids) VALUES ('all', $1)`, "["+all[2:]+"]")
		if n := check(t, db, dialect, "group_user_ids"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		if _, _, err := apply(t, db, dialect, "group_members"); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"members": "9000"}
		if diff := cmp.Diff(want, byID(t, db, `SELECT 'members', count(*) FROM group_member`)); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
	})
}
