package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// TestDirectories puts a file into a directory, goes down, where there are none,
// and up again.
func TestDirectories(t *testing.T) {
	t.Parallel()
	for birth := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 60, birth)
				p.load(t, `
					INSERT INTO file (id, user_id, filename, created_at) VALUES ('f1', 'u1', 'a', 1), ('f2', 'u1', 'b', 2);
					INSERT INTO knowledge (id, user_id, name, created_at) VALUES ('k1', 'u1', 'K', 1);
					INSERT INTO knowledge_file (id, user_id, knowledge_id, file_id, created_at, updated_at) VALUES
						('kf2', 'u1', 'k1', 'f2', 1, 2), ('kf1', 'u1', 'k1', 'f1', 99999999999, 4);`)
				old, before := p.catalog(t), p.rows(t).lines(p.catalog(t))
				p.migrate(t, 61, birth)
				p.load(t, `
					INSERT INTO knowledge_directory (id, knowledge_id, parent_id, name, user_id, created_at, updated_at) VALUES
						('d1', 'k1', NULL, 'outer', 'u1', 1, 1), ('d2', 'k1', 'd1', 'inner', 'u1', 1, 1);
					UPDATE knowledge_file SET directory_id = CASE id WHEN 'kf1' THEN 'd1' ELSE 'd2' END;`)
				for _, version := range []int{60, 61} {
					p.migrate(t, version, birth)
					if diff := cmp.Diff(before, p.rows(t).lines(old)); diff != "" {
						t.Errorf("rows changed on the way to revision %d (-before +after):\n%s", version, diff)
					}
				}
				if got := p.value(t, "SELECT count(*) FROM knowledge_file WHERE directory_id IS NOT NULL"); got != "0" {
					t.Errorf("%s files lie in directories that are gone", got)
				}
			})
		}
	}
}

// TestLastRead takes all that was written before revision 55 for read.
func TestLastRead(t *testing.T) {
	t.Parallel()
	for birth := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 54, birth)
				p.load(t, `INSERT INTO chat (id, user_id, title, created_at, updated_at, archived) VALUES
					('c1', 'u', '', 1, 99999999999, FALSE), ('c2', 'u', '', 3, 0, TRUE)`)
				want := []string{"99999999999", "0"}
				if birth == bundle.BirthAlembic {
					p.load(t, `INSERT INTO chat (id) VALUES ('c3')`)
					want = append(want, "none")
				}
				p.migrate(t, 55, birth)
				query := "SELECT coalesce(CAST(last_read_at AS text), 'none') FROM chat ORDER BY id"
				if dialect == step.SQLite {
					want[0], want[1] = "integer "+want[0], "integer "+want[1]
					query = "SELECT coalesce(typeof(last_read_at) || ' ' || last_read_at, 'none') FROM chat ORDER BY id"
				}
				if diff := cmp.Diff(want, p.column(t, query)); diff != "" {
					t.Errorf("the times differ (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestMemoryTypes gives memories a type, those that exist and those that an older
// release writes.
func TestMemoryTypes(t *testing.T) {
	t.Parallel()
	for birth := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 64, birth)
				p.load(t, `INSERT INTO memory (id, user_id, content, updated_at, created_at) VALUES ('m1', 'u', '', 1, 1)`)
				p.migrate(t, 65, birth)
				p.load(t, `INSERT INTO memory (id, user_id, content, updated_at, created_at) VALUES ('m2', 'u', '', 1, 1);
					INSERT INTO memory (id, user_id, content, updated_at, created_at, type) VALUES ('m3', 'u', '', 1, 1, 'other')`)
				want := []string{"m1 context", "m2 context", "m3 other"}
				if diff := cmp.Diff(want, p.column(t, `SELECT id || ' ' || type FROM memory ORDER BY id`)); diff != "" {
					t.Errorf("the types differ (-want +got):\n%s", diff)
				}
			})
		}
	}
}
