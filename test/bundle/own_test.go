package bundle_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// What people put beside and on the application's tables.
const (
	ownObjects = `
		CREATE TABLE mine (id text, chat_id text);
		CREATE INDEX mine_chat ON chat (title, user_id);
		CREATE INDEX mine_user ON "user" (name);
		CREATE INDEX mine_auth ON auth (password);
		CREATE VIEW readers AS SELECT u.id, count(*) AS chats FROM "user" AS u JOIN chat AS c ON c.user_id = u.id GROUP BY u.id;
		CREATE VIEW many AS SELECT id FROM readers WHERE chats > 10;`
	ownTriggers = `
		CREATE TRIGGER mine_insert AFTER INSERT ON chat BEGIN INSERT INTO mine VALUES (new.id, new.id); END;
		CREATE TRIGGER mine_update AFTER UPDATE ON "user" BEGIN INSERT INTO mine VALUES (new.id, 'updated'); END;
		CREATE TRIGGER mine_view INSTEAD OF INSERT ON readers BEGIN INSERT INTO mine VALUES (new.id, 'view'); END;`
	ownNames = `SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE name LIKE 'mine%' OR name IN ('readers', 'many') ORDER BY name)`
)

// TestOwnObjectsStay takes a SQLite database with views, triggers and indexes on
// tables that are built anew all the way up and down.
func TestOwnObjectsStay(t *testing.T) {
	t.Parallel()
	p := newSQLite(t)
	p.migrate(t, 22, bundle.BirthPeewee)
	p.load(t, rowsAt18After+ownObjects+ownTriggers)
	read := func(query string) (value string) {
		t.Helper()
		if err := p.db.QueryRowContext(t.Context(), query).Scan(&value); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return value
	}
	want := read(ownNames)
	if n := strings.Count(want, ","); n != 8 {
		t.Fatalf("there are %d objects to begin with: %s", n+1, want)
	}
	for _, target := range []int{newest, 22, newest} {
		p.migrate(t, target, bundle.BirthPeewee)
		if diff := cmp.Diff(want, read(ownNames)); diff != "" {
			t.Errorf("at %d the objects differ:\n%s", target, diff)
		}
	}
	if n := read("SELECT count(*) FROM mine"); n != "0" {
		t.Errorf("triggers have fired %s times for what revisions do", n)
	}
	p.load(t, `INSERT INTO readers VALUES ('v', 1); UPDATE "user" SET name = 'Bea';`)
	if n := read("SELECT count(*) FROM mine"); n != "2" {
		t.Errorf("triggers have fired %s times, want twice", n)
	}
	if n := read("SELECT chats FROM readers"); n != "1" {
		t.Errorf("the view counts %s chats", n)
	}
}

const rowsAt18After = `
INSERT INTO "user" (id, name, email, role, profile_image_url, created_at, updated_at, last_active_at) VALUES
	('u1', 'Ann', 'ann@example.test', 'admin', '/user.png', 1714000041, 1714000042, 1714000043);
INSERT INTO chat (id, user_id, title, chat, share_id, archived, created_at, updated_at) VALUES
	('c1', 'u1', 'Chat', '{}', NULL, FALSE, 1714000001, 1714000009);
`

// TestOwnObjectsInTheWay: what cannot stay keeps the revision from running, and
// nothing is lost.
func TestOwnObjectsInTheWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dialect step.Dialect
		own     string
		says    string
		stops   int // the revision that stays
	}{
		"column of a table that is built anew": {step.SQLite, `ALTER TABLE "user" ADD COLUMN shoe_size INTEGER`, "shoe_size", 61},
		"index on a column that goes":          {step.SQLite, `CREATE INDEX mine ON "user" (api_key)`, "index mine", 41},
		"view on a column that goes":           {step.SQLite, `CREATE VIEW mine AS SELECT api_key FROM "user"`, "view mine", 41},
		"view on a column that changes":        {step.Postgres, `CREATE VIEW mine AS SELECT chat FROM chat`, "depend on it", 22},
		"view on a column that is dropped":     {step.Postgres, `CREATE VIEW mine AS SELECT api_key FROM "user"`, "depend on it", 41},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := engines[test.dialect](t)
			p.migrate(t, 22, bundle.BirthPeewee)
			p.load(t, rowsAt18After+test.own)
			res, err := p.run(t, newest, "", nil)
			var e *migrate.Error
			if !errors.As(err, &e) || e.Reason != result.ReasonOwnObject || !strings.Contains(err.Error(), test.says) || res.To != test.stops {
				t.Fatalf("it ends at %d with %v", res.To, err)
			}
			if rows := p.rows(t); len(rows["user"]) != 1 || len(rows["chat"]) != 1 {
				t.Errorf("rows are lost: %v", rows)
			}
		})
	}
}
