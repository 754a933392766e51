package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Rows at revision 61 in the tables that get primary keys, and rows that refer to
// them.
const rowsAt61 = `
INSERT INTO auth (id, email, password, active) VALUES
	('u2', 'zoe@example.test', '', FALSE), ('u1', 'ann@example.test', 'not a hash', TRUE);
INSERT INTO "user" (id, name, email, role, profile_image_url, created_at, updated_at, last_active_at, settings, info, oauth, scim, date_of_birth) VALUES
	('u2', 'Zoe', 'zoe@example.test', 'user', '', 41, 42, 43, NULL, NULL, NULL, NULL, NULL),
	('u1', 'Ann', 'ann@example.test', 'admin', '/user.png', 44, 45, 99999999999, '{"ui": {}}', '{"a": 1.0}', '{"oidc": {"sub": "1"}}', '{}', '2001-02-03');
INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, share_id, archived, pinned, meta, folder_id, tasks, summary, last_read_at) VALUES
	('c2', 'u1', 'It''s "quoted" \ %', '{"b": 1, "a": [1.0, "é"]}', 1, 2, 's1', TRUE, TRUE, '{"tags": ["x"]}', 'f', '[]', 'short', 3),
	('c1', 'u2', '日本語 🙂 ', NULL, 99999999999, 5, NULL, FALSE, NULL, '{}', NULL, NULL, NULL, NULL);
INSERT INTO chatidtag (id, tag_name, chat_id, user_id, "timestamp") VALUES ('t1', 'Work stuff', 'c1', 'u1', -5);
INSERT INTO file (id, user_id, filename, meta, created_at, hash, data, updated_at, path) VALUES
	('f2', 'u1', 'ü.pdf', '{"x": null}', 71, 'h', '{}', 72, '/x'), ('f1', 'u1', '', NULL, 73, NULL, NULL, NULL, NULL);
INSERT INTO "function" (id, user_id, name, type, content, meta, created_at, updated_at, valves, is_active, is_global) VALUES
	('fn2', 'u1', 'One', 'filter', 'pass', '{}', 81, 82, '{"x": 1}', TRUE, FALSE), ('fn1', 'u1', 'Two', 'pipe', '', '{}', 83, 84, NULL, FALSE, TRUE);
INSERT INTO memory (id, user_id, content, updated_at, created_at) VALUES ('m2', 'u1', 'likes tea', 52, 51), ('m1', 'u1', '', 54, 53);
INSERT INTO model (id, user_id, base_model_id, name, meta, params, created_at, updated_at, is_active) VALUES
	('mo2', 'u1', NULL, 'Mine', '{}', '{"seed": 1}', 61, 62, FALSE), ('mo1', 'u1', 'llama3', 'Two', '{}', '{}', 63, 64, TRUE);
INSERT INTO tool (id, user_id, name, content, specs, meta, created_at, updated_at, valves) VALUES
	('to2', 'u1', 'Tool', 'pass', '[]', '{}', 91, 92, '{}'), ('to1', 'u1', 'Two', '', '[]', '{}', 93, 94, NULL);
INSERT INTO chat_file (id, user_id, chat_id, file_id, created_at, updated_at) VALUES ('cf', 'u1', 'c2', 'f2', 1, 1);
INSERT INTO shared_chat (id, chat_id, user_id, title, created_at, updated_at) VALUES ('s1', 'c2', 'u1', '', 1, 1);
INSERT INTO api_key (id, user_id, key, created_at, updated_at) VALUES ('k', 'u1', 'key-1', 1, 1);
`

// TestPrimaryKeys goes up to revision 62, down and up again. Whatever refers to
// the tables must not be lost when they are built anew.
func TestPrimaryKeys(t *testing.T) {
	t.Parallel()
	for birth := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 61, birth)
				p.load(t, rowsAt61)
				old, before := p.catalog(t), p.rows(t).lines(p.catalog(t))
				for _, version := range []int{62, 61, 62} {
					p.migrate(t, version, birth)
					if diff := cmp.Diff(before, p.rows(t).lines(old)); diff != "" {
						t.Errorf("rows changed on the way to revision %d (-before +after):\n%s", version, diff)
					}
				}
			})
		}
	}
}

// TestPrimaryKeysAreReferredTo goes down from revision 62 where foreign keys lean
// on the primary keys. The way up leaves them on the older indexes, but restoring a
// dump makes indexes in another order.
func TestPrimaryKeysAreReferredTo(t *testing.T) {
	t.Parallel()
	for _, birth := range []bundle.Birth{bundle.BirthPeewee, bundle.BirthPeewee095} {
		t.Run(string(birth), func(t *testing.T) {
			t.Parallel()
			p := newPostgres(t)
			p.migrate(t, 61, birth)
			old := p.catalog(t)
			p.migrate(t, 62, birth)
			latest := p.catalog(t)
			p.load(t, rowsAt61+`
				DROP INDEX chat_id CASCADE;
				ALTER TABLE chat_file ADD CONSTRAINT chat_file_chat_id_fkey FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE;
				ALTER TABLE chat_message ADD CONSTRAINT chat_message_chat_id_fkey FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE;
				ALTER TABLE shared_chat ADD CONSTRAINT shared_chat_chat_id_fkey FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE;
				CREATE UNIQUE INDEX chat_id ON chat (id);`)
			compareCatalogs(t, 62, latest, p.catalog(t), true)
			if got := p.value(t, `SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conindid = 'pk_chat'::regclass`); got != "3" {
				t.Fatalf("%s foreign keys lean on the primary key, want 3", got)
			}
			before := p.rows(t).lines(old)
			p.migrate(t, 61, birth)
			compareCatalogs(t, 61, old, p.catalog(t), true)
			if diff := cmp.Diff(before, p.rows(t).lines(old)); diff != "" {
				t.Errorf("rows changed on the way down (-before +after):\n%s", diff)
			}
		})
	}
}
