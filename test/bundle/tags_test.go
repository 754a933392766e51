package bundle_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
)

// TestTagNames takes tags through revision 24, which goes through them one by
// one, and down and up again.
func TestTagNames(t *testing.T) {
	t.Parallel()
	const read = `SELECT id || ' <- ' || name || ' ' || user_id FROM tag ORDER BY 1`
	for birth := range walks {
		for dialect, open := range engines {
			t.Run(string(birth)+"/"+string(dialect), func(t *testing.T) {
				t.Parallel()
				p := open(t)
				p.migrate(t, 23, birth)
				p.load(t, `INSERT INTO tag (id, name, user_id, data) VALUES
					('play', 'Chess', 'u', NULL),    -- Its id becomes free.
					('1', 'Play', 'u', '{}'),
					('2', 'home', 'u', NULL),        -- Another tag has the new id as its old one.
					('home', 'Garden', 'u', NULL),
					('3', 'Home', 'v', NULL),
					('same', 'Same', 'u', NULL),     -- It has that itself.
					('4', 'SAME', 'u', NULL),
					('5', 'same', 'w', NULL),        -- Another one was first.
					('6', 'Pinned', 'u', NULL),
					('s1', 'S2', 'u', NULL),         -- They change places.
					('s2', 'S1', 'u', NULL),
					('7', 'Ὀδός ΟΔΟΣ', 'u', NULL)`)
				p.migrate(t, 24, birth)
				once := p.column(t, read)
				want := []string{
					"chess <- Chess u", "garden <- Garden u", "home <- Home v", "play <- Play u", "s1 <- S1 u", "same <- SAME u",
					"ὀδός_οδος <- Ὀδός ΟΔΟΣ u",
				}
				if diff := cmp.Diff(want, once); diff != "" {
					t.Errorf("tags (-want +got):\n%s", diff)
				}
				p.migrate(t, 23, birth)
				if got := p.value(t, `SELECT count(DISTINCT id) FROM tag WHERE length(id) >= 32`); got != "7" {
					t.Errorf("%s tags have random ids, want 7", got)
				}
				p.migrate(t, 24, birth)
				if diff := cmp.Diff(once, p.column(t, read)); diff != "" {
					t.Errorf("up, down and up is not up (-once +twice):\n%s", diff)
				}
				if ids := strings.Join(p.column(t, `SELECT id FROM chat WHERE pinned IS NOT NULL`), " "); ids != "" {
					t.Errorf("chats without tags have got some: %s", ids)
				}
			})
		}
	}
}

// TestTagNamesInALine: each tag gets the id that the one before it gives up, so
// that a database that changes them in another order finds it taken.
func TestTagNamesInALine(t *testing.T) {
	t.Parallel()
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, 23, bundle.BirthPeewee)
			p.load(t, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
				INSERT INTO tag (id, name, user_id) SELECT 't' || i, 'T' || (i - 1), 'u' FROM n`)
			p.migrate(t, 24, bundle.BirthPeewee)
			if got := p.value(t, `SELECT count(*) FROM tag WHERE id = lower(name)`); got != "2000" {
				t.Errorf("%s tags are named by their names, want 2000", got)
			}
		})
	}
}
