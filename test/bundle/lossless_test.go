package bundle_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/bundle"
	people "github.com/schemagate/schemagate/internal/testing/history"
	"github.com/schemagate/schemagate/migrations"
)

// TestLosslessRevisions takes a history of people's chats up, and goes down and up
// again at each revision that the manifest does not call lossy: nothing of it may
// be lost or change.
func TestLosslessRevisions(t *testing.T) {
	t.Parallel()
	b, err := bundle.Load(migrations.OpenWebUI())
	if err != nil {
		t.Fatal(err)
	}
	for dialect, open := range engines {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			p := open(t)
			p.migrate(t, people.Revision, bundle.BirthPeewee)
			if err := people.Load(t.Context(), p.db, p.dialect, people.Size{Chats: 80, Messages: 4}); err != nil {
				t.Fatal(err)
			}
			looked := 0
			for _, r := range b.Revisions[people.Revision:] {
				if r.LossyDown != "" {
					p.migrate(t, r.Version, bundle.BirthPeewee)
					continue
				}
				looked++
				before := p.settled(t)
				p.migrate(t, r.Version, bundle.BirthPeewee)
				after := p.settled(t)
				p.migrate(t, r.Version-1, bundle.BirthPeewee)
				if got := p.settled(t); !slices.Equal(before, got) {
					t.Errorf("the way down of %d loses (-before +after):\n%.2000s", r.Version, cmp.Diff(before, got))
				}
				p.migrate(t, r.Version, bundle.BirthPeewee)
				if got := p.settled(t); !slices.Equal(after, got) {
					t.Errorf("the second way up of %d differs (-first +second):\n%.2000s", r.Version, cmp.Diff(after, got))
				}
			}
			if looked < 5 {
				t.Errorf("only %d revisions are not lossy", looked)
			}
		})
	}
}
