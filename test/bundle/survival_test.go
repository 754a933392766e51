package bundle_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Rows of the first revision, in all tables, with what is easily lost: quotes,
// other scripts, empty texts, NULL, blanks at the end, JSON as text, numbers
// beyond 32 bits, rows that are not in the order of their ids.
const rowsAt1 = `
INSERT INTO auth (id, email, password, active) VALUES
	('u2', 'zoe@example.test', '', FALSE), ('u1', 'ann@example.test', 'not a hash', TRUE);
INSERT INTO chat (id, user_id, title, chat, "timestamp") VALUES
	('c2', 'u1', 'It''s "quoted" \ %', '{"a": [1, 1.0, 1e2, "é"]}', 1714000002),
	('c1', 'u2', '日本語 🙂 ', '{broken', 99999999999), ('c3', 'nobody', '', '', 0);
INSERT INTO chatidtag (id, tag_name, chat_id, user_id, "timestamp") VALUES ('t1', 'Work stuff', 'c1', 'u1', -5);
INSERT INTO document (collection_name, name, title, filename, content, user_id, "timestamp") VALUES
	('k2', 'second', 'Two', 'two.txt', NULL, 'u1', 1714000012),
	('k1', 'first', '', 'one ü.txt', '{"tags": [{"name": "hr"}, null], "more": 1.50}', 'u2', 1714000011);
INSERT INTO modelfile (tag_name, user_id, modelfile, "timestamp") VALUES
	('poet:latest', 'u1', '{"title": "Poet", "content": "FROM llama3:8b\nPARAMETER temperature 0.5", "categories": ["x"]}', 1714000021),
	('critic', 'u2', '{"title": "É", "desc": "d", "content": "", "user": {"name": "Zoe"}}', 1714000022);
INSERT INTO prompt (command, user_id, title, content, "timestamp") VALUES ('/hi', 'u1', 'Hi', 'Say {{hi}}', 1714000031);
INSERT INTO tag (id, name, user_id, data) VALUES ('g1', 'Tag', 'u1', NULL), ('g2', 'tag', 'u1', '{}');
INSERT INTO "user" (id, name, email, role, profile_image_url, "timestamp") VALUES
	('u2', 'Zoe', 'zoe@example.test', 'user', '/user.png', 1714000042),
	('u1', 'Ann', 'ann@example.test', 'admin', '', 1714000041);
`

const rowsAt5 = `
INSERT INTO auth (id, email, password, active) VALUES ('u1', 'ann@example.test', 'not a hash', TRUE);
INSERT INTO chat (id, user_id, title, chat, share_id, archived, created_at, updated_at) VALUES
	('c1', 'u1', 'Shared', '{}', 's1', TRUE, 1714000001, 1714000009),
	('s1', 'shared-c1', 'Shared', '{}', NULL, FALSE, 1714000002, 1714000002);
INSERT INTO document (collection_name, name, title, filename, content, user_id, "timestamp") VALUES
	('k1', 'first', 'One', 'one.txt', '{}', 'u1', 1714000011);
INSERT INTO prompt (command, user_id, title, content, "timestamp") VALUES ('/hi', 'u1', 'Hi', 'Say', 1714000031);
INSERT INTO "user" (id, name, email, role, profile_image_url, "timestamp", api_key) VALUES
	('u1', 'Ann', 'ann@example.test', 'admin', '', 1714000041, 'key-1'),
	('u2', 'Zoe', 'zoe@example.test', 'user', '/user.png', 1714000042, NULL);
`

const rowsAt9 = `
INSERT INTO chat (id, user_id, title, chat, share_id, archived, created_at, updated_at) VALUES
	('c1', 'u1', 'Chat', '{}', NULL, FALSE, 1714000001, 1714000009);
INSERT INTO memory (id, user_id, content, updated_at, created_at) VALUES ('m1', 'u1', 'likes tea', 1714000052, 1714000051);
INSERT INTO model (id, user_id, base_model_id, name, meta, params, created_at, updated_at) VALUES
	('mine', 'u1', NULL, 'Mine', '{"ollama": {"modelfile": "FROM x"}}', '{}', 1714000061, 1714000062),
	('ollama-broken', 'u1', 'llama3', 'Broken', 'no JSON', '{}', 1714000063, 1714000064);
INSERT INTO modelfile (tag_name, user_id, modelfile, "timestamp") VALUES
	('poet', 'u1', '{"title": "Poet", "content": "FROM llama3", "user": {"z": 1.0, "a": null}, "imageUrl": "/x.png"}', 1714000021);
INSERT INTO "user" (id, name, email, role, profile_image_url, api_key, created_at, updated_at, last_active_at) VALUES
	('u1', 'Ann', 'ann@example.test', 'admin', '/user.png', 'key-1', 1714000041, 1714000042, 1714000043);
`

// Functions and tools before and after they have valves.
const rowsAt15 = `
INSERT INTO file (id, user_id, filename, meta, created_at) VALUES ('f1', 'u1', 'ü.pdf', '{"path": "/x"}', 1714000071);
INSERT INTO "function" (id, user_id, name, type, content, meta, created_at, updated_at) VALUES
	('fn2', 'u2', 'Two', 'pipe', '', '{}', 1714000083, 1714000084),
	('fn1', 'u1', 'One', 'filter', 'pass', '{"x": 1}', 1714000081, 1714000082);
INSERT INTO tool (id, user_id, name, content, specs, meta, created_at, updated_at) VALUES
	('to1', 'u1', 'Tool', 'pass', '[]', '{}', 1714000091, 1714000092);
`

const rowsAt17 = `
INSERT INTO "function" (id, user_id, name, type, content, meta, created_at, updated_at, valves, is_active) VALUES
	('fn2', 'u2', 'Two', 'pipe', '', '{}', 1714000083, 1714000084, NULL, FALSE),
	('fn1', 'u1', 'One', 'filter', 'pass', '{"x": 1}', 1714000081, 1714000082, '{"y": 2}', TRUE);
`

const rowsAt18 = `
INSERT INTO chat (id, user_id, title, chat, share_id, archived, created_at, updated_at) VALUES
	('c1', 'u1', 'Chat', '{}', 's1', TRUE, 1714000001, 1714000009);
INSERT INTO document (collection_name, name, title, filename, content, user_id, "timestamp") VALUES
	('k1', 'first', 'One', 'one.txt', '{"tags": null}', 'u1', 1714000011), ('k2', 'second', 'Two', 'two.txt', '', 'u1', 1714000012);
INSERT INTO file (id, user_id, filename, meta, created_at) VALUES ('f1', 'u1', 'ü.pdf', '{"path": "/x"}', 1714000071);
INSERT INTO "function" (id, user_id, name, type, content, meta, created_at, updated_at, valves, is_active, is_global) VALUES
	('fn1', 'u1', 'One', 'filter', 'pass', '{}', 1714000081, 1714000082, '{"x": 1}', TRUE, FALSE),
	('fn2', 'u1', 'Two', 'pipe', 'pass', '{}', 1714000083, 1714000084, NULL, FALSE, TRUE);
INSERT INTO memory (id, user_id, content, updated_at, created_at) VALUES ('m1', 'u1', 'likes tea', 1714000052, 1714000051);
INSERT INTO model (id, user_id, base_model_id, name, meta, params, created_at, updated_at) VALUES
	('ollama-poet', 'u1', 'llama3', 'Poet', '{"ollama": {"modelfile": "FROM x"}}', '{"seed": 1}', 1714000061, 1714000062);
INSERT INTO tool (id, user_id, name, content, specs, meta, created_at, updated_at, valves) VALUES
	('to1', 'u1', 'Tool', 'pass', '[]', '{}', 1714000091, 1714000092, '{}');
INSERT INTO "user" (id, name, email, role, profile_image_url, api_key, created_at, updated_at, last_active_at, settings, info, oauth_sub) VALUES
	('u1', 'Ann', 'ann@example.test', 'admin', '/user.png', 'key-1', 1714000041, 1714000042, 1714000043, '{"ui": {}}', NULL, 'oidc@1');
`

// reshaped is the last revision up to which rows keep what they had: the ones
// after it turn values into others, which the tests of those revisions look at.
const reshaped = 22

// TestRowsSurvive brings rows up from the revision they are written at, down to
// it and up again.
func TestRowsSurvive(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		at   int
		rows string
		// wrong are queries that count what is not as it should be after the way
		// up.
		wrong []string
	}{
		"001": {1, rowsAt1, []string{
			`SELECT 3 - count(*) FROM chat WHERE created_at = updated_at AND NOT archived AND share_id IS NULL`,
			`SELECT 1 - count(*) FROM chat WHERE id = 'c1' AND created_at = 99999999999`,
			`SELECT 1 - count(*) FROM "user" WHERE id = 'u1' AND created_at = 1714000041`,
			`SELECT count(*) FROM "user" WHERE created_at <> updated_at OR created_at <> last_active_at OR settings IS NOT NULL`,
			`SELECT 2 - count(*) FROM knowledge k JOIN document d ON d.collection_name = k.id AND d.title = k.name AND d.name = k.description`,
			`SELECT 2 - count(*) FROM model WHERE id IN ('ollama-poet:latest', 'ollama-critic') AND created_at = updated_at`,
		}},
		"005": {5, rowsAt5, []string{
			`SELECT 1 - count(*) FROM chat WHERE updated_at = created_at + 8 AND archived AND share_id = 's1'`,
		}},
		"009": {9, rowsAt9, []string{
			`SELECT 2 - count(*) FROM model WHERE id IN ('mine', 'ollama-broken') AND updated_at = created_at + 1`,
			`SELECT 1 - count(*) FROM model WHERE id = 'ollama-poet' AND base_model_id = 'llama3' AND name = 'Poet'`,
		}},
		"015": {15, rowsAt15, []string{
			`SELECT count(*) FROM "function" WHERE is_active OR is_global OR valves IS NOT NULL`,
			`SELECT count(*) FROM tool WHERE valves IS NOT NULL`,
		}},
		"017": {17, rowsAt17, []string{`SELECT count(*) FROM "function" WHERE is_global`}},
		"018": {18, rowsAt18, []string{
			`SELECT 2 - count(*) FROM knowledge`,
			`SELECT 1 - count(*) FROM file WHERE hash IS NULL AND data IS NULL AND updated_at IS NULL`,
		}},
	}
	for name, test := range tests {
		for dialect, open := range engines {
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, test.at, bundle.BirthPeewee)
				p.load(t, test.rows)
				old, before := p.catalog(t), p.rows(t)

				p.migrate(t, reshaped, bundle.BirthPeewee)
				latest, after := p.catalog(t), p.rows(t)
				compareKept(t, before.lines(latest), after.lines(old))
				for _, query := range test.wrong {
					if got := p.value(t, query); got != "0" {
						t.Errorf("%s: got %s, want 0", query, got)
					}
				}

				p.migrate(t, test.at, bundle.BirthPeewee)
				// A model file is written anew from its model, with another number.
				rewritten := []string{"modelfile.id", "modelfile.modelfile"}
				want, got := before.without(rewritten...).lines(old), p.rows(t).without(rewritten...).lines(old)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the way down did not bring back (-before +after):\n%s", diff)
				}

				p.migrate(t, reshaped, bundle.BirthPeewee)
				if diff := cmp.Diff(after.lines(latest), p.rows(t).lines(latest)); diff != "" {
					t.Errorf("up, down and up is not up (-once +twice):\n%s", diff)
				}
			})
		}
	}
}

// compareKept checks that the tables and columns that are there before and after
// the way up hold the same rows. Only model gains some, made from model files.
func compareKept(t *testing.T, before, after []string) {
	t.Helper()
	after = slices.DeleteFunc(after, func(line string) bool {
		return strings.HasPrefix(line, "model ") && !slices.Contains(before, line)
	})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("rows changed on the way up (-before +after):\n%s", diff)
	}
}

// TestTimesComeBack tells apart the times that become one on the way down.
func TestTimesComeBack(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 7, bundle.BirthPeewee)
			p.load(t, `
				INSERT INTO chat (id, user_id, title, chat, archived, created_at, updated_at) VALUES ('c', 'u', '', '', FALSE, 1, 2);
				INSERT INTO "user" (id, name, email, role, profile_image_url, created_at, updated_at, last_active_at)
				VALUES ('u', '', '', '', '', 3, 4, 5);`)
			p.migrate(t, 4, bundle.BirthPeewee)
			if got := p.value(t, `SELECT "timestamp" FROM chat`); got != "1" {
				t.Errorf("the chat is of %s, want 1, when it was created", got)
			}
			if got := p.value(t, `SELECT "timestamp" FROM "user"`); got != "3" {
				t.Errorf("the user is of %s, want 3, when the account was created", got)
			}
		})
	}
}
