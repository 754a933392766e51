package bundle_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
)

// resources insert a row without access_control, as it is at revision 49 and 50,
// into each table that has grants.
var resources = map[string]string{
	"channel":   `INSERT INTO channel (id, user_id, name) VALUES ('%s', 'u', 'n')`,
	"file":      `INSERT INTO file (id, user_id, filename, created_at) VALUES ('%s', 'u', 'n', 1)`,
	"knowledge": `INSERT INTO knowledge (id, user_id, name, created_at) VALUES ('%s', 'u', 'n', 1)`,
	"model":     `INSERT INTO model (id, user_id, name, meta, params, created_at, updated_at) VALUES ('%s', 'u', 'n', '{}', '{}', 1, 2)`,
	"note":      `INSERT INTO note (id, user_id, title) VALUES ('%s', 'u', 'n')`,
	"prompt": `INSERT INTO prompt (id, command, user_id, name, content, created_at, updated_at)
		VALUES ('%[1]s', '%[1]s', 'u', 'n', 'c', 1, 2)`,
	"tool": `INSERT INTO tool (id, user_id, name, content, specs, meta, created_at, updated_at)
		VALUES ('%s', 'u', 'n', 'c', '[]', '{}', 1, 2)`,
}

// controls are what access_control becomes on the way down, by the grants. The
// empty text is SQL NULL.
var controls = []struct{ grants, control string }{
	{"", "{}"},
	{"('user', '*', 'read')", ""},
	{
		"('user', '*', 'write'), ('user', 'ü\"1', 'read'), ('user', 'u2', 'read'), ('group', 'g', 'write'), ('group', 'h', 'read')",
		`{"read": {"group_ids": ["h"], "user_ids": ["u2", "ü\"1"]}, "write": {"group_ids": ["g"], "user_ids": ["*"]}}`,
	},
	{"('user', '*', 'read'), ('group', 'g', 'write')", ""},
	{"('group', '*', 'read')", `{"read": {"group_ids": ["*"], "user_ids": []}, "write": {"group_ids": [], "user_ids": []}}`},
	{"('user', 'u', 'write')", `{"read": {"group_ids": [], "user_ids": []}, "write": {"group_ids": [], "user_ids": ["u"]}}`},
	{"('group', 'g', 'write')", `{"read": {"group_ids": [], "user_ids": []}, "write": {"group_ids": ["g"], "user_ids": []}}`},
}

// controlled returns the number of the row in a table that the grants of a
// number are for. It is another one in each table, so that one table's grants
// cannot pass for another's.
func controlled(number int, table string) string {
	tables := slices.Sorted(maps.Keys(resources))
	return strconv.Itoa((number + slices.Index(tables, table)) % len(controls))
}

// TestGrantsGoDown writes grants at revision 50, goes down and up again.
func TestGrantsGoDown(t *testing.T) {
	t.Parallel()
	for _, birth := range births {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 50, birth)
				for table, insert := range resources {
					for i, c := range controls {
						id := controlled(i, table)
						p.load(t, fmt.Sprintf(insert, id))
						if c.grants != "" {
							p.load(t, `INSERT INTO access_grant (id, resource_type, resource_id, principal_type, principal_id, permission, created_at)
								SELECT '`+table+id+`' || column1 || column2 || column3, '`+table+`', '`+id+`', column1, column2, column3, 1
								FROM (VALUES `+c.grants+`) AS given`)
						}
					}
				}
				want := p.grants(t)
				p.migrate(t, 49, birth)
				for table := range resources {
					compareControls(t, p, table)
				}
				p.migrate(t, 50, birth)
				for id, granted := range want {
					if strings.Contains(granted, public) {
						want[id] = public // Nothing beside it comes back.
						if strings.HasPrefix(id, "file ") {
							delete(want, id) // There is no word for it.
						}
					}
				}
				if diff := cmp.Diff(want, p.grants(t)); diff != "" {
					t.Errorf("the grants that came up again differ (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// public is the grant to everybody.
const public = "read user *"

// grants returns the grants by type and id of the resource.
func (p place) grants(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, line := range p.column(t, `SELECT resource_type || ' ' || resource_id || '=' || permission || ' ' || principal_type || ' ' || principal_id
			FROM access_grant ORDER BY permission, principal_type, principal_id`) {
		id, grant, _ := strings.Cut(line, "=")
		out[id] = strings.TrimPrefix(out[id]+", "+grant, ", ")
	}
	return out
}

// compareControls compares access_control of a table. NULL is private for a
// file, so one without grants has it.
func compareControls(t *testing.T, p place, table string) {
	t.Helper()
	got := map[string]string{}
	for _, line := range p.column(t, "SELECT id || '=' || coalesce(CAST(access_control AS text), '') FROM "+table) {
		id, control, _ := strings.Cut(line, "=")
		got[id] = canonical(t, control)
	}
	want := map[string]string{}
	for i, c := range controls {
		id := controlled(i, table)
		want[id] = canonical(t, c.control)
		if table == "file" && c.grants == "" {
			want[id] = ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("access_control of %s differs (-want +got):\n%s", table, diff)
	}
}

// canonical spells JSON as Python does.
func canonical(t *testing.T, source string) string {
	t.Helper()
	if source == "" {
		return ""
	}
	v, err := pyjson.Decode(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return pyjson.Encode(v)
}
