package bundle_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// births are those whose base tables differ.
var births = []bundle.Birth{bundle.BirthPeewee, bundle.BirthAlembic}

const promptsAt47 = `
INSERT INTO prompt (command, user_id, title, content, "timestamp", access_control) VALUES
	('/one', 'u1', 'It''s "one" ü', 'a
	\b {"c"}', 1714000002, NULL),
	('two', 'u2', '', '', 1714000001, '{}'),
	('//three', 'u1', 'Three', '/x', 1714000003, 'null'),
	('/', 'u1', 'Four', 'x', 0, '{"read": {"user_ids": ["ü"]}, "n": 12345678901234567890}');
`

var randomUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// TestPrompts goes up to revision 48, down and up again.
func TestPrompts(t *testing.T) {
	t.Parallel()
	for _, birth := range births {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 47, birth)
				p.load(t, promptsAt47)
				p.migrate(t, 48, birth)
				comparePrompts(t, p, "one", "two", "/three", "")
				compareSnapshots(t, p)

				p.migrate(t, 47, birth)
				want := []string{
					"/ u1 Four x 0", "//three u1 Three /x 1714000003", "/one u1 It's \"one\" ü a\n\t\\b {\"c\"} 1714000002", "/two u2   1714000001",
				}
				got := p.column(t, `SELECT command || ' ' || user_id || ' ' || title || ' ' || content || ' ' || "timestamp" FROM prompt`)
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the prompts that came back differ (-want +got):\n%s", diff)
				}
				if birth == bundle.BirthPeewee {
					want := []string{"1 /", "2 /two", "3 /one", "4 //three"}
					if diff := cmp.Diff(want, p.column(t, `SELECT id || ' ' || command FROM prompt ORDER BY id`)); diff != "" {
						t.Errorf("the ids differ (-want +got):\n%s", diff)
					}
				}
				p.migrate(t, 48, birth)
				comparePrompts(t, p, "one", "two", "/three", "")
			})
		}
	}
}

// comparePrompts wants prompts with these commands.
func comparePrompts(t *testing.T, p place, commands ...string) {
	t.Helper()
	slices.Sort(commands)
	got := p.column(t, "SELECT command FROM prompt")
	slices.Sort(got)
	if diff := cmp.Diff(commands, got); diff != "" {
		t.Errorf("the commands differ (-want +got):\n%s", diff)
	}
	for _, wrong := range []string{
		`SELECT count(*) FROM prompt WHERE created_at <> updated_at OR NOT is_active OR CAST(data AS text) <> '{}'
			OR CAST(meta AS text) <> '{}' OR CAST(tags AS text) <> '[]' OR access_control IS NULL`,
		`SELECT count(*) FROM prompt p LEFT JOIN prompt_history h ON h.id = p.version_id AND h.prompt_id = p.id AND h.user_id = p.user_id
			AND h.created_at = p.created_at AND h.parent_id IS NULL AND h.commit_message IS NULL WHERE h.id IS NULL`,
		`SELECT count(*) - 4 FROM prompt_history`,
	} {
		if got := p.value(t, wrong); got != "0" {
			t.Errorf("%s: got %s, want 0", wrong, got)
		}
	}
	ids := p.column(t, "SELECT id FROM prompt UNION SELECT version_id FROM prompt")
	if len(ids) != 2*len(commands) {
		t.Errorf("%d ids differ, want %d", len(ids), 2*len(commands))
	}
	for _, id := range ids {
		if !randomUUID.MatchString(id) {
			t.Errorf("%s is no random UUID", id)
		}
	}
}

func compareSnapshots(t *testing.T, p place) {
	t.Helper()
	want := map[string]pyjson.Value{}
	for _, s := range []string{
		`{"name": "It's \"one\" ü", "content": "a\n\t\\b {\"c\"}", "command": "one", "data": {}, "meta": {}, "access_control": null}`,
		`{"name": "", "content": "", "command": "two", "data": {}, "meta": {}, "access_control": {}}`,
		`{"name": "Three", "content": "/x", "command": "/three", "data": {}, "meta": {}, "access_control": null}`,
		`{"name": "Four", "content": "x", "command": "", "data": {}, "meta": {},
			"access_control": {"read": {"user_ids": ["ü"]}, "n": 12345678901234567890}}`,
	} {
		add(t, want, s)
	}
	got := map[string]pyjson.Value{}
	for _, s := range p.column(t, "SELECT snapshot FROM prompt_history") {
		add(t, got, s)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *pyjson.Object) bool { return pyjson.Equal(a, b) })); diff != "" {
		t.Errorf("the snapshots differ (-want +got):\n%s", diff)
	}
}

// add decodes a snapshot and files it under its command.
func add(t *testing.T, all map[string]pyjson.Value, source string) {
	t.Helper()
	v, err := pyjson.Decode(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	o, ok := v.(*pyjson.Object)
	if !ok {
		t.Fatalf("%s is no object", source)
	}
	command, _ := o.Get("command")
	name, _ := command.(string)
	all[name] = o
}

// TestPromptWithNaN has what only SQLite keeps.
func TestPromptWithNaN(t *testing.T) {
	t.Parallel()
	p := engines[step.SQLite](t)
	p.migrate(t, 47, bundle.BirthPeewee)
	p.load(t, `INSERT INTO prompt (command, user_id, title, content, "timestamp", access_control) VALUES ('/x', 'u', 't', 'c', 1, '{"x": NaN}')`)
	p.migrate(t, 48, bundle.BirthPeewee)
	if got := p.value(t, "SELECT snapshot FROM prompt_history"); !strings.Contains(got, `"access_control":{"x": NaN}`) {
		t.Errorf("the snapshot is %s", got)
	}
	if got := p.value(t, "SELECT access_control FROM prompt"); got != `{"x": NaN}` {
		t.Errorf("access_control is %s", got)
	}
}

// TestPromptWithoutCommand: the application makes none, but could.
func TestPromptWithoutCommand(t *testing.T) {
	t.Parallel()
	for _, birth := range births {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 48, birth)
				p.load(t, `INSERT INTO prompt (id, user_id, name, content, created_at, updated_at) VALUES ('p1', 'u', 'n', 'c', 1, 2)`)
				p.migrate(t, 47, birth)
				if got := p.value(t, `SELECT command || ' ' || "timestamp" FROM prompt`); got != "/p1 2" {
					t.Errorf("command and time are %q, want %q", got, "/p1 2")
				}
			})
		}
	}
}
