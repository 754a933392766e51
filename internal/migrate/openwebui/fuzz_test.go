package openwebui

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// seeds are what people and programs have been seen to leave, and what nobody
// would.
var seeds = []string{
	"", "null", "[]", "{}", `"text"`, "0", "-0", "1e400", "NaN", "-Infinity", "true", " {} ", "{", `{"a":`, "\x00", "\xff\xfe",
	`{"history": {"messages": {"a": {"role": "user", "content": "x", "timestamp": 1e400, "parentId": "b"}, "b": null, "c": {"role": "assistant"}}, "currentId": "a"}}`,
	`{"messages": [{"id": "a", "timestamp": "later"}, {"id": 7, "timestamp": NaN}, {"id": ["x"]}, 5]}`,
	`{"read": {"group_ids": ["g", null, 7, "\u0000"], "user_ids": {}}, "write": null}`,
	`{"file_ids": ["a", "a", null, {"b": 1}, "\ud800"], "ui": {"a.b": {"c": [1e400]}}}`,
	`{"path": "/x", "type": "timer", "status": "pending", "timer_at": " 1_000 "}`, `{"type": "timer", "status": "pending", "timer_at": 99999999999999999999999}`,
	`"{\"oidc\": {\"sub\": \"x\"}}"`, `"\"\\\"{}\\\"\""`, `{"oidc": {"sub": "\udc00"}}`,
	`{"title": "T", "content": "FROM a", "imageUrl": 5, "user": {"z": 1.0}, "suggestionPrompts": [{}]}`,
	`{"\ud83d\ude00": "\u0000", "k": 1, "k": {"é": [[[[[[[[]]]]]]]]}}`,
	strings.Repeat("[", 2000), strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500), "1" + strings.Repeat("0", 5000),
}

// FuzzSteps hands anything to what Go steps do with the documents of one row.
// None may fail otherwise than by saying so, and what they hand out a database
// can store.
func FuzzSteps(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, dialect := range []step.Dialect{step.Postgres, step.SQLite} {
			if dialect == step.Postgres && (!utf8.ValidString(source) || strings.ContainsRune(source, 0)) {
				continue // PostgreSQL cannot hold it
			}
			fuzzFills(t, source, dialect)
			fuzzLinks(t, source, dialect)
			fuzzChats(t, source, dialect)
			fuzzSettings(t, source, dialect)
		}
	})
}

// wantStorable fails for a value that the engine cannot store.
func wantStorable(t *testing.T, what string, v any, dialect step.Dialect) {
	t.Helper()
	text, ok := v.(string)
	if !ok {
		return
	}
	if !utf8.ValidString(text) && dialect == step.Postgres || dialect == step.Postgres && strings.ContainsRune(text, 0) {
		t.Errorf("%s hands out %q", what, text)
	}
}

func fuzzFills(t *testing.T, source string, dialect step.Dialect) {
	t.Helper()
	for name, fill := range map[string]fill{
		"file_paths": filePaths, "user_oauth_sub": oauthSubs, "chat_current_message": currentMessages,
		"repair_user_oauth": oauthRepair, "chat_timers": chatTimers,
	} {
		for _, list := range []any{nil, `[["id-a", null, 1], ["id-b", "id-a", null]]`, source} {
			value, ok := fill.value(step.Row{"id", source, list, list}, dialect)
			if ok {
				wantStorable(t, name, value, dialect)
			}
		}
	}
	row := step.Row{source, source, source, source, source, source}
	for name, of := range map[string]func(step.Row, step.Dialect) ([]any, bool){"documents": knowledgeOf, "modelfiles": modelOf} {
		values, ok := of(row, dialect)
		for _, value := range values {
			if ok {
				wantStorable(t, name, value, dialect)
			}
		}
	}
	if dialect == step.Postgres && isPython(source) && !json.Valid([]byte(source)) &&
		!strings.Contains(source, "NaN") && !strings.Contains(source, "Infinity") {
		t.Errorf("Python is said to read %q", source)
	}
}

func fuzzLinks(t *testing.T, source string, dialect step.Dialect) {
	t.Helper()
	for _, l := range []links{groupMembers, knowledgeFiles} {
		ids, ok := l.idsOf(step.Row{"id", source, "u", int64(1), int64(1)}, dialect)
		for _, id := range ids {
			if ok {
				wantStorable(t, l.into, id, dialect)
			}
		}
	}
	for _, table := range []string{fileTable, "model"} {
		grants, ok := grantsOf(step.Row{"id", source}, 1, table, dialect)
		for _, g := range grants {
			if ok {
				wantStorable(t, "access_grant", g.principalID, dialect)
			}
		}
	}
}

func fuzzChats(t *testing.T, source string, dialect step.Dialect) {
	t.Helper()
	m := messageCopier{dialect: dialect, now: 1_714_000_000, alike: map[string]bool{}, taken: map[string]bool{}}
	for _, of := range m.rowsOf([]step.Row{{"id", "u", source}}) {
		for _, row := range of.rows {
			if len(row) != len(messageColumns) {
				t.Fatalf("a row has %d columns", len(row))
			}
			for i, value := range row {
				wantStorable(t, messageColumns[i], value, dialect)
			}
		}
	}
	wantStorable(t, "a tag", tagID(source), dialect)
}

func fuzzSettings(t *testing.T, source string, dialect step.Dialect) {
	t.Helper()
	settings, ok := settingsOf(source, dialect)
	if !ok {
		return
	}
	for _, name := range settings.Names() {
		wantStorable(t, "a setting's name", name, dialect)
		value, _ := settings.Get(name)
		if text := pyjson.Encode(value); dialect == step.Postgres && !json.Valid([]byte(text)) {
			t.Errorf("a setting is %s", text)
		}
	}
}
