package openwebui

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/step"
	"github.com/schemagate/schemagate/internal/testing/recorded"
)

// messageRow is a row of chat_message; its chat is the test's.
type messageRow struct {
	id, parent, createdAt any
}

// currentTest is a chat that is called c.
type currentTest struct {
	document any
	rows     []messageRow
	want     recorded.Cell
}

const twoBranches = `"messages": {"a": {"parentId": null, "timestamp": 1}, "b": {"parentId": "a", "timestamp": 3}, "c": {"parentId": "a", "timestamp": 2}}`

// branches are the rows of a chat with the leaves b and d, d the newer.
func branches() []messageRow {
	return []messageRow{{"c-a", nil, 1}, {"c-b", "a", 2}, {"c-c", "c-a", 3}, {"c-d", "c-c", 4}}
}

var currentTests = map[string]currentTest{
	"nothing":      {nil, nil, nil},
	"JSON null":    {`null`, nil, nil},
	"a list":       {`[{"id": "a"}]`, nil, nil},
	"empty object": {`{}`, nil, nil},

	// The document names a row.
	"history names a row":       {`{"history": {"currentId": "b"}}`, branches(), "b"},
	"with the prefix":           {`{"history": {"currentId": "c-a"}}`, branches(), "a"},
	"the document names one":    {`{"currentId": "c", "history": {"currentId": "gone"}}`, branches(), "c"},
	"the branch point is one":   {`{"currentId": "", "history": [], "branchPointMessageId": "a"}`, branches(), "a"},
	"history is first":          {`{"branchPointMessageId": "c", "currentId": "b", "history": {"currentId": "a"}}`, branches(), "a"},
	"a row without the prefix":  {`{"currentId": "a"}`, []messageRow{{"a", nil, 1}, {"x", nil, 2}}, "x"},
	"the prefix twice":          {`{"currentId": "c-c-a"}`, []messageRow{{"c-c-a", nil, 1}, {"c-z", nil, 2}}, "c-a"},
	"a number is no candidate":  {`{"currentId": 1}`, []messageRow{{"c-1", nil, 1}, {"c-2", nil, 2}}, "2"},
	"the prefix is none either": {`{"currentId": "c-"}`, []messageRow{{"c-", nil, 9}, {"c-2", nil, 2}}, "2"},

	// It does not, and the newest leaf counts.
	"the newest leaf":             {`{"history": {"currentId": "gone", ` + twoBranches + `}}`, branches(), "d"},
	"no document":                 {nil, branches(), "d"},
	"a text as document":          {`"t"`, branches(), "d"},
	"the first of equals":         {`{}`, []messageRow{{"c-z", nil, 5}, {"c-a", nil, 5}}, "z"},
	"null is zero":                {`{}`, []messageRow{{"c-z", nil, nil}, {"c-a", nil, 1}, {"c-b", nil, 0}}, "a"},
	"a circle":                    {`{}`, []messageRow{{"c-a", "b", 1}, {"c-b", "a", 2}}, "b"},
	"its own parent":              {`{}`, []messageRow{{"c-a", "a", 1}}, "a"},
	"a parent elsewhere":          {`{}`, []messageRow{{"c-a", "other-b", 1}, {"c-b", nil, 2}}, "b"},
	"parents with the prefix":     {`{}`, []messageRow{{"c-a", nil, 9}, {"c-b", "c-a", 2}}, "b"},
	"rows count, and only they":   {`{"history": {"currentId": "c", ` + twoBranches + `}}`, []messageRow{{"c-x", nil, 1}}, "x"},
	"an empty id is no row":       {`{"history": {` + twoBranches + `}}`, []messageRow{{"c-", nil, 9}}, "b"},
	"negative times are possible": {`{}`, []messageRow{{"c-a", nil, -2}, {"c-b", nil, -1}}, "b"},

	// There are no rows, and the document is all.
	"history has the message":   {`{"history": {"currentId": "a", ` + twoBranches + `}}`, nil, "a"},
	"the prefix in a document":  {`{"history": {"currentId": "c-a", ` + twoBranches + `}}`, nil, "a"},
	"the leaf of the history":   {`{"history": {"currentId": "gone", ` + twoBranches + `}}`, nil, "b"},
	"empty history":             {`{"history": {"messages": {}, "currentId": "l"}, "messages": [{"id": "l"}, {"id": "m", "timestamp": 1}]}`, nil, "l"},
	"history is no object":      {`{"history": {"messages": [1]}, "messages": [{"id": "l", "timestamp": 1}, {"id": "m", "timestamp": 2}]}`, nil, "m"},
	"a list with parents":       {`{"messages": [{"id": "l", "parentId": "m", "timestamp": 1}, {"id": "m", "timestamp": 2}]}`, nil, "l"},
	"what is no message":        {`{"messages": [null, "x", {"id": ""}, {"id": null}, {"timestamp": 9}, {"id": "l"}]}`, nil, "l"},
	"the last of equal ids":     {`{"messages": [{"id": "l", "timestamp": 9}, {"id": "m", "timestamp": 5}, {"id": "l", "timestamp": 1}]}`, nil, "m"},
	"in the place of the first": {`{"messages": [{"id": "l", "timestamp": 9}, {"id": "m", "timestamp": 5}, {"id": "l", "timestamp": 5}]}`, nil, "l"},
	"numbers as ids":            {`{"messages": [{"id": 1, "timestamp": 9}, {"id": 2, "parentId": 1.0}]}`, nil, "2"},
	"messages is an object":     {`{"messages": {"a": {}}}`, nil, nil},
	"members that are none":     {`{"history": {"messages": {"a": 5, "b": null, "c": {"timestamp": -1}}}}`, nil, "a"},
	"no times":                  {`{"history": {"messages": {"b": {}, "a": {"timestamp": null}}}}`, nil, "b"},
	"an empty text is no time":  {`{"history": {"messages": {"a": {"timestamp": ""}, "b": {"timestamp": 1}}}}`, nil, "b"},
	"nor later on":              {`{"history": {"messages": {"a": {"timestamp": 1}, "b": {"timestamp": ""}}}}`, nil, "a"},
	"texts as times":            {`{"history": {"messages": {"a": {"timestamp": "10"}, "b": {"timestamp": "9"}}}}`, nil, "b"},
	"numbers of all kinds":      {`{"history": {"messages": {"a": {"timestamp": true}, "b": {"timestamp": 1.5}, "c": {"timestamp": 1}}}}`, nil, "b"},
	"large numbers":             {`{"history": {"messages": {"a": {"timestamp": 9007199254740992}, "b": {"timestamp": 9007199254740993}, "c": {"timestamp": 9007199254740992.0}}}}`, nil, "b"},
	"infinity":                  {`{"history": {"messages": {"a": {"timestamp": 1}, "b": {"timestamp": 1e400}, "c": {"timestamp": -1e400}}}}`, nil, "b"},
	"one text is in order":      {`{"history": {"messages": {"a": {"timestamp": "9"}, "b": {"parentId": "a", "timestamp": 5}}}}`, nil, "b"},
	"a list as only time":       {`{"history": {"messages": {"a": {"timestamp": [1]}}}}`, nil, "a"},
	"parents of other types":    {`{"history": {"messages": {"1": {"parentId": 1}, "b": {"parentId": 1.5}, "c": {"parentId": true}}}}`, nil, "1"},
	"a candidate before order":  {`{"history": {"currentId": "a", "messages": {"a": {"parentId": []}, "b": {"timestamp": "1"}, "c": {"timestamp": 1}}}}`, nil, "a"},
	"half a surrogate":          {`{"x": "\ud800\u0000", "history": {` + twoBranches + `}}`, nil, "b"},
	"a message without an id":   {`{"history": {"messages": {"": {"timestamp": 1}}}}`, nil, nil},
}

func insertThread(t *testing.T, db *sql.DB, id string, tt currentTest) {
	t.Helper()
	exec(t, db, `INSERT INTO chat (id, user_id, chat) VALUES ($1, 'u', $2)`, id, tt.document)
	for _, row := range tt.rows {
		exec(t, db, `INSERT INTO chat_message (id, chat_id, parent_id, created_at) VALUES ($1, $2, $3, $4)`, row.id, id, row.parent, row.createdAt)
	}
}

func TestCurrentMessages(t *testing.T) {
	t.Parallel()
	onEach(t, chatTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		// Another chat, whose messages must not count.
		insertThread(t, db, "other", currentTest{`{}`, []messageRow{{"other-a", nil, 99}, {"other-b", "c-d", 98}}, nil})
		for name, tt := range currentTests {
			exec(t, db, "DELETE FROM chat_message WHERE chat_id = 'c'")
			exec(t, db, "DELETE FROM chat WHERE id = 'c'")
			insertThread(t, db, "c", tt)
			if n := check(t, db, dialect, "chat_current_message"); n != 0 {
				t.Errorf("%s: the check found %d rows", name, n)
			}
			if done, total, err := apply(t, db, dialect, "chat_current_message"); err != nil || done != 2 || total != 2 {
				t.Fatalf("%s: %d of %d rows were done: %v", name, done, total, err)
			}
			want := map[string]recorded.Cell{"c": tt.want, "other": "a"}
			if diff := cmp.Diff(want, columnByID(t, db, dialect, "chat", "current_message_id")); diff != "" {
				t.Errorf("%s: current_message_id (-want +got):\n%s", name, diff)
			}
		}
	})
}

// TestCurrentMessageInString: the application reads a document in a string on
// PostgreSQL alone.
func TestCurrentMessageInString(t *testing.T) {
	t.Parallel()
	onEach(t, chatTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		insertThread(t, db, "c", currentTest{document: `"{\"history\": {\"messages\": {\"a\": {}}}}"`})
		insertThread(t, db, "d", currentTest{document: `"{broken"`})
		want := map[string]recorded.Cell{"c": nil, "d": nil}
		if dialect == step.Postgres {
			want["c"] = "a"
		} else {
			exec(t, db, `INSERT INTO chat (id, chat) VALUES ('e', '{broken')`)
			exec(t, db, `INSERT INTO chat_message (id, chat_id) VALUES ('e-a', 'e')`)
		}
		if _, _, err := apply(t, db, dialect, "chat_current_message"); err != nil {
			t.Fatal(err)
		}
		if dialect == step.SQLite {
			want["e"] = "a"
			exec(t, db, `UPDATE chat SET chat = '{}' WHERE id = 'e'`) // so that it can be dumped
		}
		if diff := cmp.Diff(want, columnByID(t, db, dialect, "chat", "current_message_id")); diff != "" {
			t.Errorf("current_message_id (-want +got):\n%s", diff)
		}
	})
}

func TestCurrentMessagesRefused(t *testing.T) {
	t.Parallel()
	everywhere := map[step.Dialect]bool{step.Postgres: true, step.SQLite: true}
	onPostgres := map[step.Dialect]bool{step.Postgres: true, step.SQLite: false}
	tests := map[string]struct {
		document string
		refused  map[step.Dialect]bool
	}{
		"texts and numbers":    {`{"history": {"messages": {"a": {"timestamp": "secret"}, "b": {"timestamp": 5}}}}`, everywhere},
		"a text and no time":   {`{"history": {"messages": {"a": {"timestamp": "9"}, "b": {}}}}`, everywhere},
		"lists as times":       {`{"history": {"messages": {"a": {"timestamp": [1]}, "b": {"timestamp": [2]}}}}`, everywhere},
		"a list as parent":     {`{"history": {"messages": {"a": {"parentId": ["x"]}}}}`, everywhere},
		"an object as parent":  {`{"messages": [{"id": "a", "parentId": {}}]}`, everywhere},
		"a list as id":         {`{"messages": [{"id": ["a"]}]}`, everywhere},
		"half a surrogate":     {`{"history": {"messages": {"a\ud800": {}}}}`, everywhere},
		"zero in an id":        {`{"history": {"messages": {"a\u0000": {}}}}`, onPostgres},
		"zero in a candidate":  {`{"currentId": "a\u0000", "history": {"messages": {"a\u0000": {}}}}`, onPostgres},
		"not even for the app": {`{"n": 1` + strings.Repeat("0", 4300) + `}`, onPostgres},
	}
	onEach(t, chatTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		insertThread(t, db, "fine", currentTest{document: `{"history": {` + twoBranches + `}}`})
		for name, tt := range tests {
			exec(t, db, "DELETE FROM chat WHERE id <> 'fine'")
			exec(t, db, "UPDATE chat SET current_message_id = NULL")
			insertThread(t, db, "1", currentTest{document: tt.document})
			insertThread(t, db, "2", currentTest{document: tt.document})
			if !tt.refused[dialect] {
				if n := check(t, db, dialect, "chat_current_message"); n != 0 {
					t.Errorf("%s: the check found %d rows", name, n)
				}
				continue
			}
			if n := check(t, db, dialect, "chat_current_message"); n != 2 {
				t.Errorf("%s: the check found %d rows, want 2", name, n)
			}
			_, _, err := apply(t, db, dialect, "chat_current_message")
			wantDataError(t, err, "chat", 2)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells data: %v", err)
			}
			if got := columnByID(t, db, dialect, "chat", "current_message_id"); got["fine"] != nil {
				t.Errorf("%s: the other chat has the message %v", name, got["fine"])
			}
			exec(t, db, "UPDATE chat SET user_id = NULL WHERE id = '2'")
			if n := check(t, db, dialect, "chat_current_message"); n != 2 {
				t.Errorf("%s: the check found %d rows, want 2, one of nobody", name, n)
			}
			exec(t, db, "UPDATE chat SET user_id = 'shared-x' WHERE id = '1'")
			if n := check(t, db, dialect, "chat_current_message"); n != 1 {
				t.Errorf("%s: the check found %d rows, want the one that is no copy", name, n)
			}
		}
	})
}

// TestManyCurrentMessages takes several batches, and leaves the chats alone that
// need no change.
func TestManyCurrentMessages(t *testing.T) {
	t.Parallel()
	const n = 3000
	onEach(t, chatTables, func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		series := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", n)
		exec(t, db, series+`INSERT INTO chat (id, user_id, chat, current_message_id) SELECT 'c' || i, 'u', '{}', 'kept' FROM n`)
		exec(t, db, series+`INSERT INTO chat_message (id, chat_id, created_at)
			SELECT 'c' || i || '-' || m.j, 'c' || i, m.j FROM n JOIN (SELECT 1 AS j UNION ALL SELECT 2) AS m ON true WHERE i > 10`)
		if done, total, err := apply(t, db, dialect, "chat_current_message"); err != nil || done != n || total != n {
			t.Fatalf("%d of %d rows were done: %v", done, total, err)
		}
		found := map[recorded.Cell]int{}
		for _, id := range columnByID(t, db, dialect, "chat", "current_message_id") {
			found[id]++
		}
		if diff := cmp.Diff(map[recorded.Cell]int{"kept": 10, "2": n - 10}, found); diff != "" {
			t.Errorf("current_message_id (-want +got):\n%s", diff)
		}
	})
}
