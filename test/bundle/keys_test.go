package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Tags at revision 25: some that several users have, and one that only one has.
const tagsAt25 = `
INSERT INTO tag (id, name, user_id, meta) VALUES
	('work', 'Work', 'u2', '{"a": 2}'), ('work', 'WORK', 'u1', '{"a": 1}'), ('work', 'work', 'U3', '{"a": 3}'),
	('home', 'Home', 'u2', NULL);
`

// SQLite lets a key be NULL, and as often as it comes.
const tagsWithoutOwnerAt25 = `
INSERT INTO tag (id, name, user_id, meta) VALUES
	('work', 'wOrk', NULL, NULL), ('loose', 'Loose', NULL, '{"a": 4}'), ('loose', 'Loose again', NULL, NULL);
`

const tagOwners = `SELECT id || ' ' || name || ' ' || coalesce(user_id, '-') || ' ' || coalesce(CAST(meta AS text), '-')
FROM tag ORDER BY id, user_id`

// TestTagsOfSeveralOwners goes down from revision 25, where one id is the tag of
// several users, and up again.
func TestTagsOfSeveralOwners(t *testing.T) {
	t.Parallel()
	for _, birth := range []bundle.Birth{bundle.BirthPeewee, bundle.BirthAlembic} {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 25, birth)
				p.load(t, tagsAt25)
				want := []string{"home Home u2 -", `work work U3 {"a": 3}`}
				if birth == bundle.BirthAlembic && dialect == step.SQLite {
					p.load(t, tagsWithoutOwnerAt25)
					want = []string{"home Home u2 -", `loose Loose - {"a": 4}`, `work work U3 {"a": 3}`}
				}
				p.migrate(t, 24, birth)
				compareColumn(t, p, tagOwners, want)
				p.migrate(t, 25, birth)
				compareColumn(t, p, tagOwners, want)
			})
		}
	}
}

// TestTagsWithoutOwner refuses them where the new key does.
func TestTagsWithoutOwner(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 24, bundle.BirthAlembic)
			p.load(t, `INSERT INTO tag (id, name, user_id) VALUES ('t', 'T', NULL), ('o', 'O', 'u1')`)
			before := p.rows(t).lines(p.catalog(t))
			res, err := p.run(t, 25, bundle.BirthAlembic, nil)
			if dialect == step.Postgres {
				checkRefusal(t, res, err)
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, p.rows(t).lines(p.catalog(t))); diff != "" {
				t.Errorf("the rows changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestChannelMembers refuses members, who have no time of joining.
func TestChannelMembers(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 33, bundle.BirthPeewee)
			p.load(t, `INSERT INTO channel_member (id, channel_id, user_id) VALUES ('m', 'c', 'u1')`)
			res, err := p.run(t, 41, bundle.BirthPeewee, nil)
			checkRefusal(t, res, err)
			if res.To != 33 {
				t.Errorf("the database is at %d, want it left at 33", res.To)
			}
			p.load(t, `DELETE FROM channel_member`)
			p.migrate(t, 41, bundle.BirthPeewee)
		})
	}
}

// Rows of tables that SQLite builds anew. They are not in the order of their
// ids, and users without a key of the API are several.
const usersAt37 = `
INSERT INTO "user" (id, name, email, role, profile_image_url, api_key, created_at, updated_at, last_active_at, settings, info, oauth_sub, username, bio, gender, date_of_birth) VALUES
	('u2', 'Zoe ''Z''', 'zoe@example.test', 'user', '', NULL, 4, 5, 99999999999, '{"ui": {}}', '', NULL, 'zoe', 'Hi', '', '1990-02-03'),
	('u1', '日本語 🙂 ', 'ann@example.test', 'admin', '/user.png', 'key-1', 1, 2, 3, NULL, NULL, 'oidc@1', NULL, NULL, NULL, NULL),
	('u3', 'Bo', 'bo@example.test', 'pending', '', NULL, 7, 8, 9, NULL, 'null', NULL, '', '', NULL, NULL);
`

const filesAt46 = `
INSERT INTO channel (id, user_id, name) VALUES ('c1', 'u1', 'Channel');
INSERT INTO message (id, user_id, channel_id, content) VALUES ('m1', 'u1', 'c1', 'Here');
INSERT INTO file (id, user_id, filename, meta, created_at) VALUES
	('f1', 'u1', 'ü.pdf', '{}', 1), ('f2', 'u1', 'two.pdf', '{}', 2);
INSERT INTO channel_file (id, user_id, channel_id, file_id, message_id, created_at, updated_at) VALUES
	('cf2', 'u1', 'c1', 'f2', NULL, 3, 4), ('cf1', 'u1', 'c1', 'f1', 'm1', 5, 99999999999);
INSERT INTO knowledge (id, user_id, name, data, created_at) VALUES ('k1', 'u1', 'K', '{"x": 1}', 6);
`

// TestRebuiltTablesKeepTheirRows goes one revision up or down and back, where a
// table is built anew or gets another key.
func TestRebuiltTablesKeepTheirRows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		at, to int
		birth  bundle.Birth
		rows   string
		// lost are the columns that do not come back.
		lost []string
	}{
		"tag up":            {24, 25, bundle.BirthPeewee, `INSERT INTO tag (id, name, user_id, meta) VALUES ('b', 'B', 'u1', '{"a": [1.0, "é"]}'), ('a', '', 'u2', NULL)`, nil},
		"tag up, alembic":   {24, 25, bundle.BirthAlembic, `INSERT INTO tag (id, name, user_id, meta) VALUES ('b', 'B', 'u1', '{"a": [1.0, "é"]}'), ('a', NULL, 'u2', NULL)`, nil},
		"user up":           {37, 38, bundle.BirthPeewee, usersAt37, nil},
		"user up, keys":     {37, 38, bundle.BirthPeewee095, usersAt37, nil},
		"user up, alembic":  {37, 38, bundle.BirthAlembic, usersAt37, nil},
		"channel_file down": {46, 45, bundle.BirthPeewee, filesAt46, []string{"channel_file.message_id", "knowledge.data"}},
	}
	for name, test := range tests {
		for dialect, open := range engines {
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, test.at, test.birth)
				p.load(t, test.rows)
				old, before := p.catalog(t), p.rows(t)
				p.migrate(t, test.to, test.birth)
				there := p.catalog(t)
				if diff := cmp.Diff(before.lines(there), p.rows(t).lines(old)); diff != "" {
					t.Errorf("rows changed (-before +after):\n%s", diff)
				}
				p.migrate(t, test.at, test.birth)
				want, got := before.without(test.lost...).lines(old), p.rows(t).without(test.lost...).lines(old)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the way back did not bring back (-before +after):\n%s", diff)
				}
			})
		}
	}
}
