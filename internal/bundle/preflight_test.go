package bundle

import (
	"context"
	"database/sql"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver named sqlite

	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// databases returns an empty database per engine.
func databases(tb testing.TB) map[Engine]*sql.DB {
	tb.Helper()
	lite, err := sql.Open("sqlite", "file:"+filepath.Join(tb.TempDir(), "test.db"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := lite.Close(); err != nil {
			tb.Error(err)
		}
	})
	return map[Engine]*sql.DB{
		SQLite:   lite,
		Postgres: postgres.Open(tb, postgres.Shared(tb).NewDatabase(tb)),
	}
}

// within runs fn in a transaction that leaves nothing behind.
func within(tb testing.TB, db *sql.DB, fn func(tx *sql.Tx)) {
	tb.Helper()
	tx, err := db.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			tb.Error(err)
		}
	}()
	fn(tx)
}

func run(ctx context.Context, tb testing.TB, tx *sql.Tx, statement string) {
	tb.Helper()
	if _, err := tx.ExecContext(ctx, statement); err != nil {
		tb.Fatalf("%v, in\n%s", err, statement)
	}
}

// ids runs a query of a check and returns what it lists.
func ids(ctx context.Context, tb testing.TB, tx *sql.Tx, query string) []string {
	tb.Helper()
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		tb.Fatalf("%v, in\n%s", err, query)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			tb.Error(err)
		}
	}()
	found := []string{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			tb.Fatal(err)
		}
		found = append(found, id)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// planned is a check with the revision it belongs to.
type planned struct {
	Check
	version int
}

// reads reports whether a query of the check reads a table.
func (p planned) reads(table string) bool {
	from := regexp.MustCompile(`FROM "?` + table + `\b`)
	return slices.ContainsFunc(slices.Collect(maps.Values(p.Query)), from.MatchString)
}

// queried returns the checks of the bundle that ask in SQL, by name.
func queried(b *Bundle) map[string]planned {
	checks := map[string]planned{}
	for _, revision := range b.Revisions {
		for _, check := range revision.Preflight {
			if len(check.Query) > 0 {
				checks[check.Name] = planned{Check: check, version: revision.Version}
			}
		}
	}
	return checks
}

// What every query finds, and what it lets pass.
func TestPreflightQueries(t *testing.T) {
	t.Parallel()
	const people = `CREATE TABLE "user" (id text, email text);`
	tests := map[string]struct {
		given string
		want  []string
		only  Engine // the other one has nothing to look for
	}{
		"document-required": {
			given: `CREATE TABLE document (collection_name text, user_id text, title text, "timestamp" bigint);
				INSERT INTO document VALUES ('good', 'u', '', 0), ('owner', NULL, 't', 1), ('title', 'u', NULL, 1), ('time', 'u', 't', NULL);`,
			want: []string{"owner", "time", "title"},
		},
		"chat-missing": {
			given: `CREATE TABLE chat (id text, chat text); INSERT INTO chat VALUES ('good', '{}'), ('empty', ''), ('null', 'null'), ('bad', NULL);`,
			want:  []string{"bad"},
		},
		"tag-name": {
			given: `CREATE TABLE tag (id text, name text); INSERT INTO tag VALUES ('good', 'a'), ('empty', ''), ('bad', NULL);`,
			want:  []string{"bad"},
		},
		"chat-tag-name": {
			given: `CREATE TABLE chatidtag (id text, tag_name text); INSERT INTO chatidtag VALUES ('good', 'a'), ('empty', ''), ('bad', NULL);`,
			want:  []string{"bad"},
		},
		"tag-owner": {
			given: `CREATE TABLE tag (id text, name text, user_id text);
				INSERT INTO tag VALUES ('good', 'a', 'u'), ('bad', 'a', NULL), ('pinned', 'Pinned', NULL), ('pin ned', 'pin ned', NULL), ('unnamed', NULL, NULL);`,
			want: []string{"bad", "pin ned"},
			only: Postgres,
		},
		"channel-members": {
			given: `CREATE TABLE channel_member (id text); INSERT INTO channel_member VALUES ('a'), ('b');`,
			want:  []string{"a", "b"},
		},
		"prompt-required": {
			given: `CREATE TABLE prompt (command text, user_id text, title text, content text, "timestamp" bigint);
				INSERT INTO prompt VALUES ('good', 'u', '', '', 0), ('owner', NULL, 't', 'c', 1), ('title', 'u', NULL, 'c', 1),
				('content', 'u', 't', NULL, 1), ('time', 'u', 't', 'c', NULL);`,
			want: []string{"content", "owner", "time", "title"},
		},
		"prompt-command": {
			given: `CREATE TABLE prompt (command text);
				INSERT INTO prompt VALUES ('/a'), ('a'), ('/b'), ('//b2'), ('/B'), ('c/'), ('/c'), ('//d'), ('/d'), (''), ('/'), ('e');`,
			want: []string{"", "/", "/a", "a"},
		},
		"shared-chat-owner": {
			given: `CREATE TABLE chat (id text, user_id text);
				INSERT INTO chat VALUES ('a', 'u'), ('good', 'shared-a'), ('b', NULL), ('bad', 'shared-b'), ('lone', 'shared-gone'), ('share', 'b');`,
			want: []string{"bad"},
		},
		"pinned-note-owner": {
			given: `CREATE TABLE note (id text, user_id text, is_pinned boolean);
				INSERT INTO note VALUES ('good', 'u', TRUE), ('bad', NULL, TRUE), ('unpinned', NULL, FALSE), ('never', NULL, NULL);`,
			want: []string{"bad"},
		},
		"user-email": {
			given: people + `INSERT INTO "user" VALUES ('a', 'a@example.test'), ('b', 'A@Example.test'), ('c', 'c@example.test'),
				('d', ''), ('e', ''), ('f', NULL), ('g', NULL);`,
			want: []string{"a", "b", "d", "e"},
		},
	}
	checks := queried(openWebUI(t))
	for name := range checks {
		if _, ok := tests[name]; !ok {
			t.Errorf("The query of check %s has no test", name)
		}
	}
	dbs := databases(t)
	for name, test := range tests {
		for engine, db := range dbs {
			query, asked := checks[name].Query[engine]
			if want := test.only == "" || test.only == engine; asked != want {
				t.Errorf("Check %s has a query for %s: %t, want %t", name, engine, asked, want)
			}
			if !asked {
				continue
			}
			within(t, db, func(tx *sql.Tx) {
				run(t.Context(), t, tx, test.given)
				if diff := cmp.Diff(test.want, ids(t.Context(), t, tx, query)); diff != "" {
					t.Errorf("Check %s on %s differs (-want +got):\n%s", name, engine, diff)
				}
			})
		}
	}
}
