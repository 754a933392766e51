package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Folders at revision 28, with times before 1970 and fractions on both sides of
// a half.
const foldersAt28 = `
INSERT INTO folder (id, user_id, name, is_expanded, created_at, updated_at) VALUES
	('plain', 'u1', 'Plain', FALSE, '2024-10-20 12:34:56', '2024-01-01 00:00:00'),
	('plain', 'u2', 'Plain', TRUE, '2024-10-20 12:34:56.5', '2024-10-20 12:34:56.499999'),
	('child', 'u1', 'Child', TRUE, '1969-12-31 23:59:58', '1970-01-01 00:00:00');
UPDATE folder SET parent_id = 'plain', items = '{"chat_ids": []}', meta = 'null' WHERE id = 'child';
`

// Seconds since 1970, which are all that a newer release writes.
const folderAt29 = `
INSERT INTO folder (id, user_id, name, is_expanded, created_at, updated_at) VALUES
	('newer', 'u1', 'Newer', FALSE, 1729427696, 4102444800);
`

const folderTimes = `SELECT id || ' ' || user_id || ': ' || created_at || ', ' || updated_at FROM folder ORDER BY id, user_id`

// TestFolderTimes goes up to revision 29, down and up again. On SQLite only the
// years of times survive the first way up, as they do when the application's own
// tools go it.
func TestFolderTimes(t *testing.T) {
	t.Parallel()
	times := map[step.Dialect]struct{ up, down, again []string }{
		step.Postgres: {
			up: []string{
				"child u1: -2, 0", "newer u1: 1729427696, 4102444800",
				"plain u1: 1729427696, 1704067200", "plain u2: 1729427697, 1729427696",
			},
			down: []string{
				"child u1: 1969-12-31 23:59:58, 1970-01-01 00:00:00", "newer u1: 2024-10-20 12:34:56, 2100-01-01 00:00:00",
				"plain u1: 2024-10-20 12:34:56, 2024-01-01 00:00:00", "plain u2: 2024-10-20 12:34:57, 2024-10-20 12:34:56",
			},
			again: []string{
				"child u1: -2, 0", "newer u1: 1729427696, 4102444800",
				"plain u1: 1729427696, 1704067200", "plain u2: 1729427697, 1729427696",
			},
		},
		step.SQLite: {
			up: []string{
				"child u1: 1969, 1970", "newer u1: 1729427696, 4102444800",
				"plain u1: 2024, 2024", "plain u2: 2024, 2024",
			},
			down: []string{
				"child u1: 1969-01-01 00:00:00, 1970-01-01 00:00:00", "newer u1: 2024-10-20 12:34:56, 2100-01-01 00:00:00",
				"plain u1: 2024-01-01 00:00:00, 2024-01-01 00:00:00", "plain u2: 2024-01-01 00:00:00, 2024-01-01 00:00:00",
			},
			again: []string{
				"child u1: 1969, 1970", "newer u1: 2024, 2100",
				"plain u1: 2024, 2024", "plain u2: 2024, 2024",
			},
		},
	}
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p, want := open(t), times[dialect]
			if dialect == step.Postgres {
				// The times are in UTC wherever the server stands.
				p.load(t, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Kathmandu''', current_database()); END $$`)
			}
			p.migrate(t, 28, bundle.BirthPeewee)
			p.load(t, foldersAt28)
			before := p.rows(t).without("folder.created_at", "folder.updated_at").lines(p.catalog(t))

			p.migrate(t, 29, bundle.BirthPeewee)
			after := p.rows(t).without("folder.created_at", "folder.updated_at").lines(p.catalog(t))
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("more than the times changed (-before +after):\n%s", diff)
			}
			p.load(t, folderAt29)
			compareColumn(t, p, folderTimes, want.up)
			p.migrate(t, 28, bundle.BirthPeewee)
			compareColumn(t, p, folderTimes, want.down)
			p.migrate(t, 29, bundle.BirthPeewee)
			compareColumn(t, p, folderTimes, want.again)
		})
	}
}

func compareColumn(t *testing.T, p place, query string, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, p.column(t, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}
