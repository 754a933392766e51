package openwebui

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// The tables as they are when revision 49 fills the new one, and chat as it is
// before revision 23, when its document is a text.
var (
	messageTables = map[step.Dialect]string{
		step.Postgres: `CREATE TABLE chat (id varchar PRIMARY KEY, user_id varchar, chat json);
			CREATE TABLE chat_message (id text PRIMARY KEY, chat_id text NOT NULL REFERENCES chat (id), user_id text, role text NOT NULL,
				parent_id text, content json, output json, model_id text, files json, sources json, embeds json, done boolean,
				status_history json, error json, usage json, created_at bigint, updated_at bigint);`,
		step.SQLite: `CREATE TABLE chat (id VARCHAR PRIMARY KEY, user_id VARCHAR, chat JSON);
			CREATE TABLE chat_message (id TEXT PRIMARY KEY, chat_id TEXT NOT NULL REFERENCES chat (id), user_id TEXT, role TEXT NOT NULL,
				parent_id TEXT, content JSON, output JSON, model_id TEXT, files JSON, sources JSON, embeds JSON, done BOOLEAN,
				status_history JSON, error JSON, usage JSON, created_at BIGINT, updated_at BIGINT);`,
	}
	oldChats = map[step.Dialect]string{
		step.Postgres: `CREATE TABLE chat (id varchar PRIMARY KEY, user_id varchar, chat text);`,
		step.SQLite:   `CREATE TABLE chat (id VARCHAR PRIMARY KEY, user_id VARCHAR, chat TEXT);`,
	}
)

const insertChat = `INSERT INTO chat (id, user_id, chat) VALUES ($1, $2, $3)`

// messagesIn returns a document with the given members of history.messages.
func messagesIn(members string) string { return `{"history": {"messages": {` + members + `}}}` }

// copied runs the step and returns the messages.
func copied(t *testing.T, db *sql.DB, dialect step.Dialect) map[string]recorded.Row {
	t.Helper()
	if n := check(t, db, dialect, "chat_document"); n != 0 {
		t.Errorf("the check found %d rows", n)
	}
	if _, _, err := apply(t, db, dialect, "chat_messages"); err != nil {
		t.Fatal(err)
	}
	return rows(t, db, dialect, "chat_message")
}

// jsonOf is a cell of a column of JSON.
func jsonOf(t *testing.T, text string) recorded.JSON {
	t.Helper()
	v, err := pyjson.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return recorded.JSON{Value: v}
}

func TestCopyMessage(t *testing.T) {
	t.Parallel()
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, insertChat, "c", "u", messagesIn(`"most": {"role": "assistant", "parentId": "p", "model": "m\u00e4", "done": false,
			"content": "\u0000 \ud800 ü", "output": [1.50], "files": {}, "sources": [], "embeds": 12345678901234567890, "error": true,
			"statusHistory": [{"b": 1, "a": 2}], "usage": {"n": 1, "n": 2}, "timestamp": 1714000001.9},
			"least": {"role": "user", "timestamp": 1714000002}`))
		null := recorded.JSON{}
		want := map[string]recorded.Row{
			"c-most": {
				"id": "c-most", "chat_id": "c", "user_id": "u", "role": "assistant", "parent_id": "p", "model_id": "mä", "done": false,
				"content": jsonOf(t, `"\u0000 \ud800 ü"`), "output": jsonOf(t, `[1.5]`), "files": jsonOf(t, `{}`), "sources": jsonOf(t, `[]`),
				"embeds": jsonOf(t, `12345678901234567890`), "error": jsonOf(t, `true`), "status_history": jsonOf(t, `[{"a": 2, "b": 1}]`),
				"usage": jsonOf(t, `{"n": 2}`), "created_at": pyjson.Int("1714000001"), "updated_at": pyjson.Int("1714000001"),
			},
			"c-least": {
				"id": "c-least", "chat_id": "c", "user_id": "u", "role": "user", "parent_id": nil, "model_id": nil, "done": true,
				"content": null, "output": null, "files": null, "sources": null, "embeds": null, "error": null, "status_history": null,
				"usage": null, "created_at": pyjson.Int("1714000002"), "updated_at": pyjson.Int("1714000002"),
			},
		}
		got := copied(t, db, dialect)
		if dialect == step.SQLite {
			for _, row := range got {
				row["done"] = row["done"] == pyjson.Int("1")
			}
			delete(want["c-most"], "embeds") // SQLite makes it a float, as for the application.
			delete(got["c-most"], "embeds")
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(sameJSON)); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
}

// TestMessageColumns looks at one column of a message with one member beside its
// role. What is no text there is what either database makes of it.
func TestMessageColumns(t *testing.T) {
	t.Parallel()
	const left = "left out"
	tests := map[string]struct {
		member, column   string
		postgres, sqlite string
	}{
		"no parent":         {`"x": 1`, "parent_id", "NULL", "NULL"},
		"null parent":       {`"parentId": null`, "parent_id", "NULL", "NULL"},
		"empty parent":      {`"parentId": ""`, "parent_id", "", ""},
		"number":            {`"parentId": -7`, "parent_id", "-7", "-7"},
		"large number":      {`"parentId": 9223372036854775808`, "parent_id", "9223372036854775808", left},
		"float":             {`"parentId": 2.50`, "parent_id", "2.5", "2.5"},
		"whole float":       {`"parentId": 3.0`, "parent_id", "3.0", "3.0"},
		"negative zero":     {`"parentId": -0.0`, "parent_id", "0.0", "0.0"},
		"small float":       {`"parentId": 1e-7`, "parent_id", "0.0000001", "1.0e-07"},
		"large float":       {`"parentId": 1e20`, "parent_id", "100000000000000000000", "1.0e+20"},
		"infinite":          {`"parentId": -1e999`, "parent_id", "-Infinity", "-Inf"},
		"true parent":       {`"parentId": true`, "parent_id", "true", "1"},
		"false parent":      {`"parentId": false`, "parent_id", "false", "0"},
		"object as parent":  {`"parentId": {}`, "parent_id", left, left},
		"list as parent":    {`"parentId": ["p"]`, "parent_id", left, left},
		"half as parent":    {`"parentId": "\ud800"`, "parent_id", left, left},
		"number as model":   {`"model": 4`, "model_id", "4", "4"},
		"object as model":   {`"model": {"id": "m"}`, "model_id", left, left},
		"number as role":    {`"role": 5`, "role", "5", "5"},
		"true as role":      {`"role": true`, "role", "true", "1"},
		"no role":           {`"role": null`, "role", left, left},
		"empty role":        {`"role": ""`, "role", left, left},
		"zero as role":      {`"role": 0.0`, "role", left, left},
		"empty list":        {`"role": []`, "role", left, left},
		"list as role":      {`"role": ["user"]`, "role", left, left},
		"done":              {`"done": true`, "done", "true", "1"},
		"not done":          {`"done": false`, "done", "false", "0"},
		"done is missing":   {`"x": 1`, "done", "true", "1"},
		"done is null":      {`"done": null`, "done", "NULL", "NULL"},
		"done is one":       {`"done": 1`, "done", "true", "1"},
		"done is zero":      {`"done": 0.0`, "done", "false", "0"},
		"done is two":       {`"done": 2`, "done", left, left},
		"done is a half":    {`"done": 0.5`, "done", left, left},
		"done is a text":    {`"done": "true"`, "done", left, left},
		"done is an object": {`"done": {}`, "done", left, left},
		"infinite content":  {`"content": [1e999]`, "content", left, "[Infinity]"},
		"other is infinite": {`"other": [1e999]`, "content", "null", "null"},
	}
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for id, tt := range tests {
			exec(t, db, insertChat, id, "u", messagesIn(`"m": {"role": "user", `+tt.member+`}`))
		}
		copied(t, db, dialect)
		for id, tt := range tests {
			want := tt.postgres
			if dialect == step.SQLite {
				want = tt.sqlite
			}
			got := left
			err := db.QueryRowContext(t.Context(), "SELECT coalesce(CAST("+tt.column+" AS text), 'NULL') FROM chat_message WHERE id = $1", id+"-m").Scan(&got)
			if err != nil && got != left || got != want {
				t.Errorf("%s: %s is %s, want %s (%v)", id, tt.column, got, want, err)
			}
		}
	})
}

// TestZeroInNames is left out of the table above, because only SQLite keeps it.
func TestZeroInNames(t *testing.T) {
	t.Parallel()
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, insertChat, "c", "u", messagesIn(`"a\u0000": {"role": "user"}, "b": {"role": "\u0000"}, "\ud800": {"role": "user"}, "": {"role": "user"}`))
		want := map[step.Dialect]int{step.Postgres: 1, step.SQLite: 3}[dialect]
		if got := copied(t, db, dialect); len(got) != want || got["c-"] == nil {
			t.Errorf("%d messages were copied, want %d with the nameless one", len(got), want)
		}
	})
}

func TestMessageTime(t *testing.T) {
	t.Parallel()
	const present = 1_800_000_000
	now := int64(present)
	tests := map[string]int64{
		``: now, `"timestamp": null`: now, `"timestamp": "soon"`: now, `"timestamp": []`: now, `"timestamp": {}`: now,
		`"timestamp": true`: now, `"timestamp": NaN`: now, `"timestamp": 1e999`: now, `"timestamp": "inf"`: now,
		`"timestamp": 1` + strings.Repeat("0", 400): now,
		`"timestamp": 1714000000`:                   1714000000,
		`"timestamp": 1714000000.99`:                1714000000,
		`"timestamp": "1714000000.9"`:               1714000000,
		`"timestamp": " 1_714_000_000\n"`:           1714000000,
		`"timestamp": "1.714e9"`:                    1714000000,
		`"timestamp": 1714000000999`:                1714000000,
		`"timestamp": "1714000000999"`:              1714000000,
		`"timestamp": 1714000000000000`:             now, // microseconds
		`"timestamp": 1577836800`:                   1577836800,
		`"timestamp": 1577836799.9`:                 now,
		`"timestamp": 1577836799999`:                now,
		`"timestamp": 1577836800000`:                1577836800,
		`"timestamp": 10000000000`:                  now, // not yet in milliseconds
		`"timestamp": -1714000000000`:               now,
		`"timestamp": 1800086400`:                   1800086400,
		`"timestamp": 1800086400.9`:                 1800086400,
		`"timestamp": 1800086401`:                   now,
		`"timestamp": 1800086400999`:                1800086400,
		`"timestamp": 9007199254740993`:             now,
	}
	m := messageCopier{now: present}
	for source, want := range tests {
		message, ok := decodeObject("{" + source + "}")
		if !ok {
			t.Fatalf("%s is no message", source)
		}
		if got := m.messageTime(message); got != want {
			t.Errorf("%s: got %d, want %d", source, got, want)
		}
	}
}

// TestMessageTimeIsNow looks at the clock that is used.
func TestMessageTimeIsNow(t *testing.T) {
	t.Parallel()
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, insertChat, "c", "u", messagesIn(`"m": {"role": "user"}`))
		since := time.Now().Unix() - 1
		row := copied(t, db, dialect)["c-m"]
		at, ok := row["created_at"].(pyjson.Int)
		if until := time.Now().Unix() + 1; !ok || string(at) < fmt.Sprint(since) || string(at) > fmt.Sprint(until) || row["updated_at"] != at {
			t.Errorf("the times are %v and %v, want one between %d and %d", at, row["updated_at"], since, until)
		}
	})
}

// TestChatDocuments counts the messages of documents of all kinds.
func TestChatDocuments(t *testing.T) {
	t.Parallel()
	const refused = -1
	message := `"m": {"role": "user"}`
	tests := map[string]struct {
		document any
		want     int
	}{
		"none": {nil, 0}, "null": {"null", 0}, "object": {"{}", 0}, "list": {"[]", 0}, "zero": {"0", 0}, "point zero": {"0.0", 0},
		"false": {"false", 0}, "empty text": {`""`, 0},
		"messages":            {messagesIn(message + `, "n": {"role": "user"}`), 2},
		"same name":           {messagesIn(message + ", " + message), 1},
		"no objects":          {messagesIn(`"a": "text", "b": null, "c": [], "d": 1`), 0},
		"history is null":     {`{"history": null}`, 0},
		"history is a list":   {`{"history": []}`, 0},
		"messages are null":   {`{"history": {"messages": null}}`, 0},
		"messages are a list": {`{"history": {"messages": [{"role": "user"}]}}`, 0},
		"in a text":           {pyjson.Encode(messagesIn(message)), 1},
		"no JSON in a text":   {`"{oops"`, 0},
		"null in a text":      {`"null"`, 0},
		"list in a text":      {`"[]"`, 0},
		"full list":           {"[0]", refused},
		"number":              {"1", refused},
		"fraction":            {"0.5", refused},
		"true":                {"true", refused},
		"full list in a text": {`"[0]"`, refused},
		"number in a text":    {`"1"`, refused},
		"text in a text":      {`"\"x\""`, refused},
	}
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		var wrong int64
		for id, tt := range tests {
			exec(t, db, insertChat, id, "u", tt.document)
			if tt.want == refused {
				wrong++
			}
		}
		if n := check(t, db, dialect, "chat_document"); n != wrong {
			t.Errorf("the check found %d rows, want %d", n, wrong)
		}
		_, _, err := apply(t, db, dialect, "chat_messages")
		wantDataError(t, err, "chat", wrong)
		if n := len(rows(t, db, dialect, "chat_message")); n != 0 {
			t.Errorf("%d messages were copied", n)
		}
		for id, tt := range tests {
			if tt.want == refused {
				exec(t, db, "DELETE FROM chat WHERE id = $1", id)
			}
		}
		got := map[string]int{}
		for _, row := range copied(t, db, dialect) {
			got[fmt.Sprint(row["chat_id"])]++
		}
		for id, tt := range tests {
			if tt.want != refused && got[id] != tt.want {
				t.Errorf("%s: %d messages, want %d", id, got[id], tt.want)
			}
		}
	})
}

// TestUnreadableChats are no JSON to Python: before revision 23 they become
// null, later they cannot be read.
func TestUnreadableChats(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", pyjson.MaxDepth+1) + strings.Repeat("]", pyjson.MaxDepth+1)
	for name, tables := range map[string]map[step.Dialect]string{"text": oldChats, "json": messageTables} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, tables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
				t.Helper()
				exec(t, db, insertChat, "deep", "u", `{"a": `+deep+`}`)
				exec(t, db, insertChat, "list", "u", "[1]")
				want := int64(1)
				if name == "json" {
					want++
				}
				if n := check(t, db, dialect, "chat_document"); n != want {
					t.Errorf("the check found %d rows, want %d", n, want)
				}
				if name == "json" {
					_, _, err := apply(t, db, dialect, "chat_messages")
					wantDataError(t, err, "chat", want)
				}
			})
		})
	}
}

// TestSharedCopies are left out, whatever they hold.
func TestSharedCopies(t *testing.T) {
	t.Parallel()
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for id, owner := range map[string]any{
			"shared": "shared-x", "upper": "Shared-x", "other": "sharedx", "none": nil, "inside": "x-shared-y",
		} {
			exec(t, db, insertChat, id, owner, messagesIn(`"m": {"role": "user"}`))
		}
		exec(t, db, insertChat, "list", "shared-x", "[1]")
		want := map[string]bool{"other-m": true, "inside-m": true}
		if dialect == step.Postgres {
			want["upper-m"] = true
		}
		got := map[string]bool{}
		for id := range copied(t, db, dialect) {
			got[id] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
}

// TestSameMessageID has chats whose messages have the same id, of which the
// first is kept.
func TestSameMessageID(t *testing.T) {
	t.Parallel()
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, insertChat, "a", "u", messagesIn(`"b-c": {"role": "one"}, "d": {"role": "one"}, "-": {"role": "one"}`))
		exec(t, db, insertChat, "a-b", "u", messagesIn(`"c": {"role": "two"}, "-d": {"role": "two"}`))
		exec(t, db, insertChat, "a-b-", "u", messagesIn(`"d": {"role": "three", "done": 5}`))
		exec(t, db, insertChat, "a-", "u", messagesIn(`"": {"role": "four"}, "x": {"role": "four"}`))
		exec(t, db, insertChat, "b-c", "u", messagesIn(`"d": {"role": "five"}`))
		want := map[string]string{"a-b-c": "one", "a-d": "one", "a--": "one", "a-b--d": "two", "a--x": "four", "b-c-d": "five"}
		got := map[string]string{}
		for id, row := range copied(t, db, dialect) {
			got[id] = fmt.Sprint(row["role"])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
}

// TestManyChats takes more than one batch.
func TestManyChats(t *testing.T) {
	t.Parallel()
	const n = 3000
	onEach(t, messageTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		as := map[step.Dialect]string{step.Postgres: "json", step.SQLite: "text"}[dialect]
		exec(t, db, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO chat (id, user_id, chat)
			SELECT 'c' || i, 'u', CAST('{"history": {"messages": {"a": {"role": "user"}, "b": {"role": "r' || i || '"}}}}' AS %s) FROM n`, n, as))
		if done, total, err := apply(t, db, dialect, "chat_messages"); err != nil || done != n || total != n {
			t.Fatalf("%d of %d rows were done: %v", done, total, err)
		}
		got := rows(t, db, dialect, "chat_message")
		if last := fmt.Sprintf("c%d-b", n); len(got) != 2*n || got[last]["role"] != fmt.Sprintf("r%d", n) {
			t.Errorf("%d messages, the last is %v", len(got), got[last])
		}
	})
}
