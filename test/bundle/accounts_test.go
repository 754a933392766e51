package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// readIdentities returns who a user is elsewhere, and its key.
const (
	readIdentities = `SELECT id || ' ' || coalesce(oauth_sub, '-') || ' ' || coalesce(api_key, '-') FROM "user" ORDER BY 1`
	readOAuth      = `SELECT id || ' ' || coalesce(CAST(oauth AS text), '-') FROM "user" ORDER BY 1`
	readKeys       = `SELECT id || ' ' || user_id || ' ' || "key" FROM api_key
		WHERE created_at = updated_at AND created_at > 1700000000 AND data IS NULL AND expires_at IS NULL AND last_used_at IS NULL ORDER BY 1`
	readTexts = `SELECT id || ' ' || coalesce(CAST(settings AS text), '-') || ' ' || coalesce(CAST(info AS text), '-') FROM "user" ORDER BY 1`
)

// TestAccounts takes users through revision 42 and back.
func TestAccounts(t *testing.T) {
	t.Parallel()
	for birth := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				same := func(what, query string, want ...string) {
					t.Helper()
					if diff := cmp.Diff(want, p.column(t, query)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", what, diff)
					}
				}
				p.migrate(t, 41, birth)
				p.load(t, `INSERT INTO "user" (id, name, email, role, profile_image_url, created_at, updated_at, last_active_at,
						api_key, oauth_sub, settings, info) VALUES
					('a', 'A', 'a@example.test', 'user', '', 1, 1, 1, 'key-a', 'google@1', '{"x": 1}', NULL),
					('b', 'B', 'b@example.test', 'user', '', 2, 2, 2, '', '', NULL, 'null'),
					('c', 'C', 'c@example.test', 'user', '', 3, 3, 3, NULL, 'é"@x@y', '[]', '{}'),
					('d', 'D', 'd@example.test', 'user', '', 4, 4, 4, 'key-d', 'alone', NULL, NULL),
					('e', 'E', 'e@example.test', 'user', '', 5, 5, 5, NULL, '@', NULL, NULL),
					('f', 'F', 'f@example.test', 'user', '', 6, 6, 6, NULL, NULL, NULL, NULL)`)
				p.migrate(t, 42, birth)
				same("keys", readKeys, "key_a a key-a", "key_d d key-d")
				texts := []string{`a {"x": 1} null`, `b null null`, `c [] {}`, `d null null`, `e null null`, `f null null`}
				oauth := []string{
					`a {"google":{"sub":"1"}}`, `b -`, `c {"é\"":{"sub":"x@y"}}`, `d {"oidc":{"sub":"alone"}}`, `e {"":{"sub":""}}`, `f -`,
				}
				if dialect == step.Postgres {
					texts = []string{`a {"x": 1} -`, `b - null`, `c [] {}`, `d - -`, `e - -`, `f - -`}
					oauth = []string{
						`a {"google" : {"sub" : "1"}}`, `b -`, `c {"é\"" : {"sub" : "x@y"}}`, `d {"oidc" : {"sub" : "alone"}}`, `e {"" : {"sub" : ""}}`, `f -`,
					}
				}
				same("texts", readTexts, texts...)
				same("oauth", readOAuth, oauth...)

				p.load(t, `INSERT INTO api_key (id, user_id, "key", created_at, updated_at, expires_at) VALUES
						('0', 'a', 'key-a-2', 0, 0, NULL), ('2', 'b', 'key-b-2', 2, 2, NULL), ('1', 'b', 'key-b-1', 1, 1, NULL),
						('3', 'c', 'key-c', 1, 1, 99999999999), ('4', NULL, 'key-nobody', 1, 1, NULL);
					UPDATE "user" SET oauth = '{"google": {"sub": "1"}}' WHERE id = 'f'`)
				p.migrate(t, 41, birth)
				same("identities", readIdentities, "a google@1 key-a", "b - key-b-1", `c é"@x@y -`, "d oidc@alone key-d", "e - -", "f - -")
				if dialect == step.SQLite {
					texts = []string{`a {"x": 1} -`, `b - -`, `c [] {}`, `d - -`, `e - -`, `f - -`}
				}
				same("texts of before", readTexts, texts...)
				p.migrate(t, 42, birth)
				same("keys again", readKeys, "key_a a key-a", "key_b b key-b-1", "key_d d key-d")
			})
		}
	}
}

// TestListsComeBack takes the members of groups and the files of knowledge out
// of their lists and back into them, in the order in which they were there.
func TestListsComeBack(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 39, "peewee")
			p.load(t, `INSERT INTO "user" (id, name, email, role, profile_image_url, created_at, updated_at, last_active_at) VALUES
					('a', 'A', 'a@example.test', 'user', '', 1, 1, 1), ('b', 'B', 'b@example.test', 'user', '', 2, 2, 2),
					('c', 'C', 'c@example.test', 'user', '', 3, 3, 3);
				INSERT INTO "group" (id, user_id, name, user_ids, created_at, updated_at) VALUES
					('g1', 'a', 'G', '["c","a","b"]', 1, 2), ('g2', 'a', 'G', '[]', 1, 2), ('g3', 'a', 'G', NULL, 1, 2);
				INSERT INTO file (id, user_id, filename, meta, created_at) VALUES ('f1', 'a', 'f', '{}', 1), ('f2', 'a', 'f', '{}', 1);
				INSERT INTO knowledge (id, user_id, name, data, created_at) VALUES
					('k1', 'a', 'K', '{"file_ids": ["f2", "gone", "f1"], "x": 1}', 1), ('k2', 'a', 'K', '{}', 1), ('k3', 'a', 'K', NULL, 1)`)
			p.migrate(t, 44, "peewee")
			for query, want := range map[string]string{
				`SELECT count(*) FROM group_member`:                       "3",
				`SELECT count(*) FROM knowledge_file WHERE user_id = 'a'`: "2",
			} {
				if got := p.value(t, query); got != want {
					t.Errorf("%s: got %s, want %s", query, got, want)
				}
			}
			p.migrate(t, 39, "peewee")
			same := func(query string, want ...string) {
				t.Helper()
				if diff := cmp.Diff(want, p.column(t, query)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", query, diff)
				}
			}
			same(`SELECT id || ' ' || replace(CAST(user_ids AS text), ' ', '') FROM "group" WHERE created_at = 1 AND updated_at = 2 ORDER BY 1`,
				`g1 ["c","a","b"]`, `g2 []`, `g3 []`)
			same(`SELECT id || ' ' || coalesce(replace(CAST(data AS text), ' ', ''), '-') FROM knowledge ORDER BY 1`,
				`k1 {"file_ids":["f2","f1"]}`, `k2 -`, `k3 -`)
		})
	}
}

// TestMetaComesBack: a file without meta gets one that the way up can read.
func TestMetaComesBack(t *testing.T) {
	t.Parallel()
	for birth := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 27, birth)
				p.load(t, `INSERT INTO file (id, user_id, filename, meta, created_at, path) VALUES
					('full', 'a', 'f', '{"path": "/x"}', 1, '/x'), ('null', 'a', 'f', 'null', 1, NULL), ('none', 'a', 'f', NULL, 1, NULL)`)
				p.load(t, `INSERT INTO chat (id, user_id, title, chat, archived, created_at, updated_at) VALUES
					('null', 'a', 'c', 'null', FALSE, 1, 1), ('full', 'a', 'c', '{"a": 1}', FALSE, 1, 1)`)
				p.migrate(t, 22, birth)
				want := []string{`full {"path": "/x"}`, "none {}", "null {}"}
				if birth == "alembic" {
					want = []string{`full {"path": "/x"}`, "none -", "null -"}
				}
				if diff := cmp.Diff(want, p.column(t, `SELECT id || ' ' || coalesce(meta, '-') FROM file ORDER BY 1`)); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{`full {"a": 1}`, "null null"}, p.column(t, `SELECT id || ' ' || chat FROM chat ORDER BY 1`)); diff != "" {
					t.Errorf("chats (-want +got):\n%s", diff)
				}
				p.migrate(t, 27, birth)
				if diff := cmp.Diff([]string{"full /x", "none -", "null -"}, p.column(t, `SELECT id || ' ' || coalesce(path, '-') FROM file ORDER BY 1`)); diff != "" {
					t.Errorf("paths (-want +got):\n%s", diff)
				}
			})
		}
	}
}
