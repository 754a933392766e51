package openwebui

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// sameTables are tables that both engines spell the same way.
func sameTables(tables string) map[step.Dialect]string {
	return map[step.Dialect]string{step.Postgres: tables, step.SQLite: tables}
}

// byID returns what a query of two columns returns, by the first.
func byID(t *testing.T, db *sql.DB, query string) map[string]any {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := found.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := map[string]any{}
	for found.Next() {
		var id string
		var value sql.NullString
		if err := found.Scan(&id, &value); err != nil {
			t.Fatal(err)
		}
		out[id] = nil
		if value.Valid {
			out[id] = value.String
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// onlyPython is JSON to Python and not to PostgreSQL.
var onlyPython = map[string]string{
	"NaN":            `{"a": NaN, "b": "\ud800"}`,
	"infinity":       `[Infinity]`,
	"minus infinity": `{"a": -Infinity}`,
}

func TestChatTexts(t *testing.T) {
	t.Parallel()
	kept := map[string]string{
		"object": `{"k": 1, "k": 2, "e": 1E3, "huge": 1e400, "zero": "\u0000", "half": "\ud800", "ü": "NaN"}`,
		"spaced": " \t\n\r[1] ", "number": "0", "text": `"{\"a\": 1}"`, "null": "null",
		"deep": strings.Repeat("[", 500) + strings.Repeat("]", 500),
	}
	lost := map[string]string{
		"empty": "", "broken": "{broken", "two": "{} {}", "control": "\"\x01\"", "mark": "\ufeff{}", "broken NaN": "{NaN", "word": "nan",
		"too deep": strings.Repeat("[", 200_000),
	}
	onEach(t, sameTables(`CREATE TABLE chat (id varchar(255) NOT NULL, chat text); CREATE UNIQUE INDEX chat_id ON chat (id)`), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		const insert = `INSERT INTO chat (id, chat) VALUES ($1, $2)`
		want := map[string]any{}
		for id, text := range kept {
			exec(t, db, insert, id, text)
			want[id] = text
		}
		for id, text := range lost {
			exec(t, db, insert, id, text)
			want[id] = "null"
		}
		if n := check(t, db, dialect, "chat_json"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		for id, text := range onlyPython {
			exec(t, db, insert, id, text)
		}
		if dialect == step.Postgres {
			if n := check(t, db, dialect, "chat_json"); n != 3 {
				t.Errorf("the check found %d rows, want 3", n)
			}
			_, _, err := apply(t, db, dialect, "chat_text_to_json")
			wantDataError(t, err, "chat", 3)
			for id := range onlyPython {
				exec(t, db, "DELETE FROM chat WHERE id = $1", id)
			}
		} else {
			for id, text := range onlyPython {
				want[id] = text
			}
		}
		if n := check(t, db, dialect, "chat_json"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		for range 2 {
			if _, _, err := apply(t, db, dialect, "chat_text_to_json"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, byID(t, db, "SELECT id, chat FROM chat")); diff != "" {
				t.Errorf("chats (-want +got):\n%s", diff)
			}
		}
		if dialect == step.Postgres {
			exec(t, db, "ALTER TABLE chat ALTER COLUMN chat TYPE json USING chat::json")
			return
		}
		exec(t, db, insert, "missing", nil)
		_, _, err := apply(t, db, dialect, "chat_text_to_json")
		wantDataError(t, err, "chat", 1)
	})
}

// TestMissingChat is refused under the lock, too, where no check runs any more.
func TestMissingChat(t *testing.T) {
	t.Parallel()
	onEach(t, sameTables(`CREATE TABLE chat (id text PRIMARY KEY, chat text)`), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO chat (id, chat) VALUES ('a', NULL), ('b', '{}'), ('c', NULL)`)
		_, _, err := apply(t, db, dialect, "chat_text_to_json")
		wantDataError(t, err, "chat", 2)
	})
}

// TestManyChatTexts takes more than one batch.
func TestManyChatTexts(t *testing.T) {
	t.Parallel()
	onEach(t, sameTables(`CREATE TABLE chat (id text PRIMARY KEY, chat text)`), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
			INSERT INTO chat (id, chat) SELECT 'c-' || i, CASE WHEN i % 3 = 0 THEN '{"i": ' || i || '}' ELSE 'broken' END FROM n`)
		if _, _, err := apply(t, db, dialect, "chat_text_to_json"); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"null": "2000", "other": "1000"}
		got := byID(t, db, `SELECT CASE chat WHEN 'null' THEN chat ELSE 'other' END, count(*) FROM chat GROUP BY 1`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("chats (-want +got):\n%s", diff)
		}
	})
}

const usersWithTexts = `CREATE TABLE "user" (id text PRIMARY KEY, settings text, info text)`

func TestUserTexts(t *testing.T) {
	t.Parallel()
	onEach(t, sameTables(usersWithTexts), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO "user" (id, settings, info) VALUES ('fine', '{"a": "\u0000"}', ' 1'), ('none', NULL, NULL),
			('empty', '', NULL), ('broken', NULL, '{broken'), ('both', '{', '}'), ('NaN', $1, '[]')`, onlyPython["NaN"])
		refused := int64(4)
		if dialect == step.SQLite {
			refused = 0
		}
		if n := check(t, db, dialect, "user_settings_json"); n != refused {
			t.Errorf("the check found %d rows, want %d", n, refused)
		}
		if dialect == step.Postgres {
			return // The revision has no step there.
		}
		if _, _, err := apply(t, db, dialect, "user_text_to_json"); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"fine": `{"a": "\u0000"} and  1`, "none": "NULL and NULL", "empty": "null and NULL", "broken": "NULL and null",
			"both": "null and null", "NaN": onlyPython["NaN"] + " and []",
		}
		got := byID(t, db, `SELECT id, coalesce(settings, 'NULL') || ' and ' || coalesce(info, 'NULL') FROM "user"`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("users (-want +got):\n%s", diff)
		}
	})
}

// TestUserTextsEarly looks at users before they have info.
func TestUserTextsEarly(t *testing.T) {
	t.Parallel()
	onEach(t, sameTables(usersWithTexts+`; ALTER TABLE "user" DROP COLUMN info`), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO "user" (id, settings) VALUES ('fine', '{}'), ('none', NULL), ('empty', '')`)
		refused := int64(1)
		if dialect == step.SQLite {
			refused = 0
		}
		if n := check(t, db, dialect, "user_settings_json"); n != refused {
			t.Errorf("the check found %d rows, want %d", n, refused)
		}
	})
}
