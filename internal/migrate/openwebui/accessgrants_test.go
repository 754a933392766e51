package openwebui

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// grantsTables are the tables as they are when revision 50 reads them, as far as
// it does.
func grantsTables(tables ...string) map[step.Dialect]string {
	out := map[step.Dialect]string{
		step.Postgres: `CREATE TABLE access_grant (id text PRIMARY KEY, resource_type text NOT NULL, resource_id text NOT NULL,
			principal_type text NOT NULL, principal_id text NOT NULL, permission text NOT NULL, created_at bigint NOT NULL,
			UNIQUE (resource_type, resource_id, principal_type, principal_id, permission));`,
		step.SQLite: `CREATE TABLE access_grant (id TEXT PRIMARY KEY, resource_type TEXT NOT NULL, resource_id TEXT NOT NULL,
			principal_type TEXT NOT NULL, principal_id TEXT NOT NULL, permission TEXT NOT NULL, created_at BIGINT NOT NULL,
			UNIQUE (resource_type, resource_id, principal_type, principal_id, permission));`,
	}
	for dialect := range out {
		for _, table := range tables {
			out[dialect] += "CREATE TABLE " + table + " (id text PRIMARY KEY, access_control JSON);"
		}
	}
	return out
}

// grants returns the grants of the resources of a type, by the id of the
// resource.
func grants(t *testing.T, db *sql.DB, dialect step.Dialect, resource string) map[string]string {
	t.Helper()
	all := map[string][]string{}
	for _, row := range rows(t, db, dialect, "access_grant") {
		if row["resource_type"] == resource {
			id := fmt.Sprint(row["resource_id"])
			all[id] = append(all[id], fmt.Sprintf("%s %s %s", row["permission"], row["principal_type"], row["principal_id"]))
		}
	}
	out := map[string]string{}
	for id, list := range all {
		slices.Sort(list)
		out[id] = strings.Join(list, ", ")
	}
	return out
}

var randomUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

const insertControl = ` (id, access_control) VALUES ($1, $2)`

const (
	public  = "read user *"
	refused = "refused"
)

// controls are what access_control may hold and what comes of it on either
// engine.
var controls = map[string]struct {
	control          any
	postgres, sqlite string
}{
	"NULL": {nil, public, public}, "null": {" null ", public, public},
	"object": {"{}", "", ""}, "list": {"[]", "", ""}, "full list": {"[1]", "", ""}, "zero": {"0", "", ""}, "number": {"1.5", "", ""},
	"true": {"true", "", ""}, "text": {`"x"`, "", ""}, "empty text": {`""`, "", ""},
	"others": {`{"others": {"group_ids": ["g"]}}`, "", ""},
	"nobody": {`{"read": {"group_ids": [], "user_ids": []}, "write": {"group_ids": [], "user_ids": []}}`, "", ""},
	"all": {
		`{"write": {"user_ids": ["w", "x"], "group_ids": ["g"]}, "read": {"group_ids": ["g", "h"], "user_ids": ["w", "*"]}}`,
		"read group g, read group h, read user *, read user w, write group g, write user w, write user x",
		"read group g, read group h, read user *, read user w, write group g, write user w, write user x",
	},
	"twice":       {`{"read": {"user_ids": ["w", "w", 1, "1"]}}`, "read user 1, read user w", "read user 1, read user w"},
	"number ids":  {`{"read": {"user_ids": [7, true]}}`, "read user 7, read user true", "read user 1, read user 7"},
	"empty texts": {`{"read": {"user_ids": "", "group_ids": {}}, "write": {"user_ids": ["u"]}}`, "write user u", "write user u"},
	"empty id":    {`{"read": {"user_ids": [""]}}`, "read user ", "read user "},
	"other words": {`{"read": {"users": ["u"], "user_ids": ["v"]}, "write": {}}`, "read user v", "read user v"},
	"all null":    {`{"read": {"user_ids": null}, "write": {"group_ids": null}}`, "", ""},
	// The driver for PostgreSQL reads the JSON once before the application does.
	"null in a text":     {`"\tNULL "`, public, ""},
	"document in a text": {`"{\"read\": {\"user_ids\": [\"u\"]}}"`, "read user u", ""},
	"object in a text":   {`"{}"`, "", ""},

	"read is null":      {`{"read": null}`, refused, refused},
	"write is null":     {`{"read": {"user_ids": ["u"]}, "write": null}`, refused, refused},
	"write is a list":   {`{"write": []}`, refused, refused},
	"null list":         {`{"read": {"group_ids": null, "user_ids": ["u"]}}`, refused, refused},
	"list is a number":  {`{"read": {"group_ids": 1}}`, refused, refused},
	"list is false":     {`{"read": {"group_ids": false, "user_ids": ["u"]}}`, refused, refused},
	"list is a text":    {`{"read": {"group_ids": "g"}}`, refused, refused},
	"list is an object": {`{"read": {"group_ids": {"g": 1}}}`, refused, refused},
	"null element":      {`{"read": {"user_ids": [null, "u"]}}`, refused, "read user u"},
	"only null":         {`{"read": {"user_ids": [null]}}`, refused, ""},
	"object as element": {`{"read": {"user_ids": [{}]}}`, refused, refused},
	"list as element":   {`{"read": {"user_ids": [["u"]]}}`, refused, refused},
	"half an id":        {`{"read": {"user_ids": ["\ud800"]}}`, refused, refused},
	"too deep":          {`{"x": ` + strings.Repeat("[", pyjson.MaxDepth) + strings.Repeat("]", pyjson.MaxDepth) + `}`, refused, refused},
}

func TestAccessGrants(t *testing.T) {
	t.Parallel()
	onEach(t, grantsTables(grantTables...), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		want := map[string]string{}
		var wrong int64
		for id, tt := range controls {
			expected := tt.postgres
			if dialect == step.SQLite {
				expected = tt.sqlite
			}
			if expected == refused {
				wrong++
				exec(t, db, "INSERT INTO tool"+insertControl, id, tt.control)
				continue
			}
			if expected != "" {
				want[id] = expected
			}
			exec(t, db, "INSERT INTO model"+insertControl, id, tt.control)
		}
		if n := check(t, db, dialect, "access_control"); n != wrong {
			t.Errorf("the check found %d rows, want %d", n, wrong)
		}
		_, _, err := apply(t, db, dialect, "access_grants")
		wantDataError(t, err, "tool", wrong)
		exec(t, db, "DELETE FROM tool")
		if n := check(t, db, dialect, "access_control"); n != 0 {
			t.Errorf("the check found %d rows", n)
		}
		done, total, err := apply(t, db, dialect, "access_grants")
		if err != nil || done != total || done == 0 {
			t.Fatalf("%d of %d rows were done: %v", done, total, err)
		}
		if diff := cmp.Diff(want, grants(t, db, dialect, "model")); diff != "" {
			t.Errorf("grants (-want +got):\n%s", diff)
		}
	})
}

// TestGrantsOfEachTable: only a file that says nothing is private.
func TestGrantsOfEachTable(t *testing.T) {
	t.Parallel()
	onEach(t, grantsTables(grantTables...), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		for _, table := range grantTables {
			exec(t, db, "INSERT INTO "+table+insertControl, "nothing", nil)
			exec(t, db, "INSERT INTO "+table+insertControl, "null", "null")
			exec(t, db, "INSERT INTO "+table+insertControl, "some", `{"read": {"user_ids": ["u"]}}`)
		}
		if _, _, err := apply(t, db, dialect, "access_grants"); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"knowledge", "prompt", "tool", "model", "note", "channel", "file"} {
			want := map[string]string{"nothing": public, "null": public, "some": "read user u"}
			if table == "file" {
				want = map[string]string{"some": "read user u"}
			}
			if diff := cmp.Diff(want, grants(t, db, dialect, table)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", table, diff)
			}
		}
		for _, row := range rows(t, db, dialect, "access_grant") {
			if !randomUUID.MatchString(fmt.Sprint(row["id"])) {
				t.Errorf("the id %v is no random UUID", row["id"])
			}
		}
	})
}

// TestAccessControlEarly runs the check when not all tables are there, and one
// has no access_control yet.
func TestAccessControlEarly(t *testing.T) {
	t.Parallel()
	onEach(t, grantsTables("model", "prompt"), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, "CREATE TABLE file (id text)")
		exec(t, db, "INSERT INTO model"+insertControl, "m", `{"read": null}`)
		exec(t, db, "INSERT INTO prompt"+insertControl, "p", `{"write": null}`)
		exec(t, db, "INSERT INTO prompt"+insertControl, "q", `{}`)
		if n := check(t, db, dialect, "access_control"); n != 2 {
			t.Errorf("the check found %d rows, want 2", n)
		}
	})
}

// TestTextsOfSQLite are none that a column of JSON takes on PostgreSQL.
func TestTextsOfSQLite(t *testing.T) {
	t.Parallel()
	db := openDatabase[step.SQLite](t)
	exec(t, db, grantsTables(grantTables...)[step.SQLite])
	exec(t, db, "INSERT INTO note"+insertControl, "word", " Null\n")
	exec(t, db, "INSERT INTO note"+insertControl, "NaN", "NaN")
	exec(t, db, "INSERT INTO note"+insertControl, "with NaN", `{"x": NaN, "read": {"user_ids": ["u"]}}`)
	if n := check(t, db, step.SQLite, "access_control"); n != 0 {
		t.Errorf("the check found %d rows", n)
	}
	if _, _, err := apply(t, db, step.SQLite, "access_grants"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"word": public, "with NaN": "read user u"}
	if diff := cmp.Diff(want, grants(t, db, step.SQLite, "note")); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	exec(t, db, "INSERT INTO note"+insertControl, "no JSON", "{oops")
	exec(t, db, "INSERT INTO note"+insertControl, "empty", "")
	exec(t, db, "INSERT INTO note"+insertControl, "float", `{"read": {"user_ids": [1.5]}}`)
	if n := check(t, db, step.SQLite, "access_control"); n != 3 {
		t.Errorf("the check found %d rows, want 3", n)
	}
}

// TestManyGrants takes more than one batch.
func TestManyGrants(t *testing.T) {
	t.Parallel()
	const n = 3000
	onEach(t, grantsTables(grantTables...), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO channel (id) SELECT 'c' || i FROM n`, n))
		exec(t, db, "INSERT INTO file (id) VALUES ('f')")
		if done, total, err := apply(t, db, dialect, "access_grants"); err != nil || done != n+1 || total != done {
			t.Fatalf("%d of %d rows were done: %v", done, total, err)
		}
		if got := len(rows(t, db, dialect, "access_grant")); got != n {
			t.Errorf("there are %d grants, want %d", got, n)
		}
	})
}
