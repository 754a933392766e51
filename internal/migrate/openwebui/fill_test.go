package openwebui

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// oauthTables is "user" before revision 75, as far as the records need it.
var oauthTables = map[step.Dialect]string{
	step.Postgres: `CREATE TABLE "user" (id varchar(255) PRIMARY KEY, name text, email text, role text, profile_image_url text,
		created_at bigint, updated_at bigint, last_active_at bigint, oauth json);`,
	step.SQLite: `CREATE TABLE "user" (id VARCHAR(255) NOT NULL PRIMARY KEY, name TEXT, email TEXT, role TEXT, profile_image_url TEXT,
		created_at BIGINT, updated_at BIGINT, last_active_at BIGINT, oauth JSON);`,
}

// chatTables are chat and chat_message with the columns of revisions 68 and 76,
// as far as the records need them.
var chatTables = map[step.Dialect]string{
	step.Postgres: usersTable + `
		CREATE TABLE chat (id varchar(255) PRIMARY KEY, user_id varchar(255), title text, archived boolean, created_at bigint, updated_at bigint,
			chat json, meta json NOT NULL DEFAULT '{}', current_message_id text, timer_at bigint);
		CREATE TABLE chat_message (id text PRIMARY KEY, chat_id text NOT NULL REFERENCES chat, user_id text, role text, parent_id text,
			content json, created_at bigint, updated_at bigint, done boolean);`,
	step.SQLite: usersTable + `
		CREATE TABLE chat (id VARCHAR(255) NOT NULL PRIMARY KEY, user_id VARCHAR(255), title TEXT, archived INTEGER, created_at DATETIME,
			updated_at DATETIME, chat JSON, meta JSON NOT NULL DEFAULT '{}', current_message_id TEXT, timer_at BIGINT);
		CREATE TABLE chat_message (id TEXT NOT NULL PRIMARY KEY, chat_id TEXT NOT NULL REFERENCES chat (id), user_id TEXT, role TEXT,
			parent_id TEXT, content JSON, created_at BIGINT, updated_at BIGINT, done BOOLEAN);
		CREATE INDEX ix_chat_message_chat_id ON chat_message (chat_id);
		CREATE INDEX chat_message_chat_parent_idx ON chat_message (chat_id, parent_id);`,
}

// columnByID returns one column by id.
func columnByID(t *testing.T, db *sql.DB, dialect step.Dialect, table, name string) map[string]recorded.Cell {
	t.Helper()
	out := map[string]recorded.Cell{}
	for id, row := range rows(t, db, dialect, table) {
		out[id] = row[name]
	}
	return out
}

func TestRepairUserOAuth(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		oauth any
		want  string // as Python reads it; empty for NULL
	}{
		"null":                 {nil, ""},
		"JSON null":            {`null`, `null`},
		"an object":            {`{"google": {"sub": "1"}}`, `{"google": {"sub": "1"}}`},
		"a string":             {` "{\"google\": {\"sub\": \"\\u00e4\\ud800\\u0000\"}, \"n\": 12345678901234567890123}" `, `{"google": {"sub": "\u00e4\ud800\u0000"}, "n": 12345678901234567890123}`},
		"an empty object":      {`"{}"`, `{}`},
		"plain text":           {`"text"`, `"text"`},
		"an empty string":      {`""`, `""`},
		"a list in a string":   {`"[1]"`, `"[1]"`},
		"null in a string":     {`"null"`, `"null"`},
		"a string in a string": {`"\"{}\""`, `"\"{}\""`},
		"a list":               {`["{}"]`, `["{}"]`},
		"a number":             {`12`, `12`},
	}
	onEach(t, oauthTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		want := map[string]recorded.Cell{}
		for id, tt := range tests {
			exec(t, db, `INSERT INTO "user" (id, oauth) VALUES ($1, $2)`, id, tt.oauth)
			want[id] = jsonCell(t, tt.want)
		}
		exec(t, db, `INSERT INTO "user" (id, oauth) VALUES ('NaN', $1)`, `"{\"a\": NaN}"`)
		want["NaN"] = jsonCell(t, `{"a": NaN}`)
		if dialect == step.Postgres {
			want["NaN"] = jsonCell(t, `"{\"a\": NaN}"`)
		}
		for range 2 {
			if _, _, err := apply(t, db, dialect, "repair_user_oauth"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, columnByID(t, db, dialect, "user", "oauth"), cmp.Comparer(sameJSON)); diff != "" {
				t.Errorf("oauth (-want +got):\n%s", diff)
			}
		}
	})
}

// TestBrokenOAuth has what only SQLite can store.
func TestBrokenOAuth(t *testing.T) {
	t.Parallel()
	db := openDatabase[step.SQLite](t)
	exec(t, db, oauthTables[step.SQLite])
	exec(t, db, `INSERT INTO "user" (id, oauth) VALUES ('u', '{broken')`)
	if _, _, err := apply(t, db, step.SQLite, "repair_user_oauth"); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := db.QueryRowContext(t.Context(), `SELECT oauth FROM "user"`).Scan(&got); err != nil || got != "{broken" {
		t.Errorf("oauth is %q, %v", got, err)
	}
}

func jsonCell(t *testing.T, text string) recorded.Cell {
	t.Helper()
	if text == "" {
		return nil
	}
	v, err := pyjson.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return recorded.JSON{Value: v}
}

func TestChatTimers(t *testing.T) {
	t.Parallel()
	const pending = `"type": "timer", "status": "pending", "timer_at": `
	tests := map[string]struct {
		meta string
		want recorded.Cell
	}{
		"nothing":           {`{}`, nil},
		"tags":              {`{"tags": ["timer"], "other": "timer_at"}`, nil},
		"an integer":        {`{` + pending + `1790000000}`, pyjson.Int("1790000000")},
		"negative":          {`{` + pending + `-5}`, pyjson.Int("-5")},
		"64 bits":           {`{` + pending + `9223372036854775807}`, pyjson.Int("9223372036854775807")},
		"more":              {`{` + pending + `9223372036854775808}`, nil},
		"a float":           {`{` + pending + `1790000000.99}`, pyjson.Int("1790000000")},
		"a negative float":  {`{` + pending + `-1.9}`, pyjson.Int("-1")},
		"a large float":     {`{` + pending + `1e19}`, nil},
		"infinity":          {`{` + pending + `1e400}`, nil},
		"true":              {`{` + pending + `true}`, pyjson.Int("1")},
		"false":             {`{` + pending + `false}`, pyjson.Int("0")},
		"a text":            {`{` + pending + `" +1_790\t"}`, pyjson.Int("1790")},
		"Arabic digits":     {`{` + pending + `"\u0661\u0662"}`, pyjson.Int("12")},
		"a word":            {`{` + pending + `"soon"}`, nil},
		"a float as text":   {`{` + pending + `"1.5"}`, nil},
		"a long text":       {`{` + pending + `"92233720368547758070"}`, nil},
		"null":              {`{` + pending + `null}`, nil},
		"a list":            {`{` + pending + `[1]}`, nil},
		"missing":           {`{"type": "timer", "status": "pending"}`, nil},
		"done":              {`{"type": "timer", "status": "done", "timer_at": 1}`, nil},
		"of another type":   {`{"type": "Timer", "status": "pending", "timer_at": 1}`, nil},
		"no text as type":   {`{"type": ["timer"], "status": "pending", "timer_at": 1}`, nil},
		"escapes":           {`{"\u0074ype": "\u0074imer", "status": "pending", "\u0074imer_at": 1, "n": "\u0000\ud800"}`, pyjson.Int("1")},
		"the last of two":   {`{` + pending + `1, "timer_at": 2}`, pyjson.Int("2")},
		"a list around it":  {`[{` + pending + `1}]`, nil},
		"a string of it":    {`"{\"type\": \"timer\", \"status\": \"pending\", \"timer_at\": 1}"`, nil},
		"in another object": {`{"x": {` + pending + `1}}`, nil},
	}
	onEach(t, chatTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		want := map[string]recorded.Cell{}
		for id, tt := range tests {
			exec(t, db, `INSERT INTO chat (id, meta) VALUES ($1, $2)`, id, tt.meta)
			want[id] = tt.want
		}
		// Each engine takes another one of two equal names.
		exec(t, db, `INSERT INTO chat (id, meta) VALUES ('first', $1)`, `{`+pending+`1, "status": "done"}`)
		exec(t, db, `INSERT INTO chat (id, meta) VALUES ('last', $1)`, `{"type": "x", `+pending+`1}`)
		want["first"], want["last"] = nil, pyjson.Int("1")
		if dialect == step.SQLite {
			want["first"], want["last"] = pyjson.Int("1"), nil
			exec(t, db, `INSERT INTO chat (id, meta) VALUES ('NaN', $1)`, `{`+pending+`1, "x": NaN}`)
			exec(t, db, `INSERT INTO chat (id, meta) VALUES ('broken', $1)`, `{`+pending)
			want["NaN"], want["broken"] = pyjson.Int("1"), nil
		}
		if _, _, err := apply(t, db, dialect, "chat_timers"); err != nil {
			t.Fatal(err)
		}
		got := map[string]recorded.Cell{}
		for id, at := range timers(t, db) {
			got[id] = nil
			if at.Valid {
				got[id] = pyjson.Int(fmt.Sprint(at.Int64))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("timer_at (-want +got):\n%s", diff)
		}
	})
}

// timers returns timer_at by id. The rows cannot be dumped: some metas are no
// JSON.
func timers(t *testing.T, db *sql.DB) map[string]sql.NullInt64 {
	t.Helper()
	found, err := db.QueryContext(t.Context(), "SELECT id, timer_at FROM chat")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := found.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := map[string]sql.NullInt64{}
	for found.Next() {
		var id string
		var at sql.NullInt64
		if err := found.Scan(&id, &at); err != nil {
			t.Fatal(err)
		}
		out[id] = at
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
