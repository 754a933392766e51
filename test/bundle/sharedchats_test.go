package bundle_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Copies of chats at revision 56: two of one chat, the later one first; one of
// nothing; one of a copy; one whose time is 0; one of a chat that everybody may
// read already; and what only looks like copies.
const sharedAt56 = `
INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, archived, meta, share_id) VALUES
	('c1', 'u1', 'One', '{"a": 1}', 11, 12, FALSE, '{}', 's1'), ('c2', 'u2', 'Two', '{}', 21, 22, TRUE, '{}', NULL),
	('c3', 'u3', 'Three', '{}', 31, 32, FALSE, '{}', 's4'),
	('s2', 'shared-c1', 'Later', '{"b": 2}', 200, 201, FALSE, '{}', NULL), ('s1', 'shared-c1', 'Copy ü', '{"a": 0}', 100, 101, FALSE, '{}', NULL),
	('gone', 'shared-c9', 'Orphan', '{}', 1, 2, FALSE, '{}', NULL), ('s3', 'shared-c2', 'Zero', NULL, 0, 301, FALSE, '{}', NULL),
	('s4', 'shared-c3', 'Four', 'null', 400, 401, TRUE, '{}', NULL), ('s5', 'shared-s4', 'Copy of a copy', '{}', 500, 501, FALSE, '{}', NULL),
	('c4', 'sharedc1', 'No copy', '{}', 41, 42, FALSE, '{}', NULL), ('c5', 'x-shared-c1', 'No copy', '{}', 51, 52, FALSE, '{}', NULL);
INSERT INTO chat_message (id, chat_id, role) VALUES ('c1-m', 'c1', 'user'), ('s1-m', 's1', 'user'), ('gone-m', 'gone', 'user');
INSERT INTO file (id, user_id, filename, created_at) VALUES ('f', 'u1', 'f', 1);
INSERT INTO chat_file (id, user_id, chat_id, file_id, created_at, updated_at) VALUES ('cf1', 'u1', 'c1', 'f', 1, 1), ('cf2', 'u1', 's1', 'f', 1, 1);
INSERT INTO access_grant (id, resource_type, resource_id, principal_type, principal_id, permission, created_at) VALUES
	('g1', 'shared_chat', 'c3', 'user', '*', 'read', 7), ('g2', 'model', 'c1', 'user', '*', 'read', 8);
`

// TestSharedChats goes up to revision 57, down and up again.
func TestSharedChats(t *testing.T) {
	t.Parallel()
	for _, birth := range births {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 56, birth)
				p.load(t, sharedAt56)
				p.migrate(t, 57, birth)
				compareShared(t, p)
				p.migrate(t, 56, birth)
				want := []string{
					"s1 shared-c1 Copy ü 100 101 101", "s2 shared-c1 Later 200 201 201", "s3 shared-c2 Zero 0 301 301", "s4 shared-c3 Four 400 401 401",
				}
				got := p.column(t, `SELECT id || ' ' || user_id || ' ' || title || ' ' || created_at || ' ' || updated_at || ' ' || last_read_at
					FROM chat WHERE user_id LIKE 'shared-%' AND NOT archived AND CAST(meta AS text) = '{}' ORDER BY id`)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the copies that came back differ (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"g2"}, p.column(t, "SELECT id FROM access_grant")); diff != "" {
					t.Errorf("the grants differ (-want +got):\n%s", diff)
				}
				p.migrate(t, 57, birth)
				if got := p.value(t, "SELECT count(*) FROM shared_chat"); got != "4" {
					t.Errorf("%s copies came up again, want 4", got)
				}
			})
		}
	}
}

// compareShared wants everything where it belongs.
func compareShared(t *testing.T, p place) {
	t.Helper()
	tests := map[string][]string{
		`SELECT id || ' ' || chat_id || ' ' || user_id || ' ' || title || ' ' || replace(CAST(chat AS text), ' ', '') || ' ' || created_at || ' ' || updated_at
			FROM shared_chat ORDER BY id`: {
			`s1 c1 u1 Copy ü {"a":0} 100 101`, `s2 c1 u1 Later {"b":2} 200 201`, `s3 c2 u2 Zero null 0 301`, `s4 c3 u3 Four null 400 401`,
		},
		`SELECT id FROM chat ORDER BY id`:                                  {"c1", "c2", "c3", "c4", "c5"},
		`SELECT share_id FROM chat WHERE share_id IS NOT NULL ORDER BY id`: {"s1", "s4"},
		`SELECT id FROM chat_message`:                                      {"c1-m"},
		`SELECT id FROM chat_file`:                                         {"cf1"},
		// What is shared is dated by its first copy in the table.
		`SELECT resource_type || ' ' || resource_id || ' ' || principal_type || ' ' || principal_id || ' ' || permission || ' '
			|| CASE WHEN created_at > 1000 THEN 'now' ELSE CAST(created_at AS text) END FROM access_grant ORDER BY 1`: {
			"model c1 user * read 8", "shared_chat c1 user * read 200", "shared_chat c2 user * read now", "shared_chat c3 user * read 7",
			"shared_chat s4 user * read 500",
		},
	}
	for query, want := range tests {
		if diff := cmp.Diff(want, p.column(t, query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	for _, id := range p.column(t, "SELECT id FROM access_grant WHERE resource_type = 'shared_chat' AND id <> 'g1'") {
		if !randomUUID.MatchString(id) {
			t.Errorf("%s is no random UUID", id)
		}
	}
}

// TestSharedRegardlessOfCase has owners that are those of copies on SQLite only.
func TestSharedRegardlessOfCase(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 56, bundle.BirthPeewee)
			p.load(t, `INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, archived, meta) VALUES
				('x', 'u1', 'Named x', '{}', 1, 2, FALSE, '{}'), ('Shared-x', 'u2', 'Named like the owner', '{}', 1, 2, FALSE, '{}'),
				('s1', 'Shared-x', '', '{}', 3, 4, FALSE, '{}'), ('s2', 'SHARED-shared-x', '', '{}', 3, 4, FALSE, '{}'),
				('SHARED-x', 'u3', '', '{}', 1, 2, FALSE, '{}')`)
			p.migrate(t, 57, bundle.BirthPeewee)
			left, shared := []string{"SHARED-x", "Shared-x", "s1", "s2", "x"}, []string(nil)
			if dialect == step.SQLite {
				left, shared = []string{"SHARED-x", "Shared-x", "x"}, []string{"s1 Shared-x u2", "s2 SHARED-x u3"}
			}
			if diff := cmp.Diff(left, p.column(t, `SELECT id FROM chat ORDER BY id`)); diff != "" {
				t.Errorf("the chats differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(shared, p.column(t, `SELECT id || ' ' || chat_id || ' ' || user_id FROM shared_chat ORDER BY id`)); diff != "" {
				t.Errorf("the copies differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSharedWithoutTimes has what only databases born with Alembic allow in chat,
// and what any may have in shared_chat.
func TestSharedWithoutTimes(t *testing.T) {
	t.Parallel()
	for _, birth := range births {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 56, birth)
				p.load(t, `INSERT INTO chat (id, user_id, title, created_at, updated_at, archived) VALUES ('c', 'u', '', 1, 2, FALSE)`)
				if birth == bundle.BirthAlembic {
					p.load(t, `INSERT INTO chat (id, user_id) VALUES ('n', NULL), ('s', 'shared-c')`)
				}
				p.migrate(t, 57, birth)
				if got := strings.Join(p.column(t, `SELECT CASE WHEN created_at > 1000 THEN 'now' END FROM access_grant`), ","); birth == bundle.BirthAlembic && got != "now" {
					t.Errorf("the grant is of %q, want now", got)
				}
				p.load(t, `INSERT INTO shared_chat (id, chat_id, user_id) VALUES ('t', 'c', 'u')`)
				p.migrate(t, 56, birth)
				if got := p.value(t, `SELECT user_id || ' ' || created_at || ' ' || updated_at FROM chat WHERE id = 't'`); got != "shared-c 0 0" {
					t.Errorf("the copy came back as %q", got)
				}
			})
		}
	}
}
