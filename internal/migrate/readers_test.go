package migrate

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/schemagate/schemagate/internal/bundle"
)

// TestReadersAreNotDisturbed looks at a database again and again while its
// tables come and go. What is read must be one state, and never an error.
func TestReadersAreNotDisturbed(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { look(ctx, t, p, b) })
			}
			for range 15 {
				p.migrate(t, b, files, "2")
				p.migrate(t, b, files, Empty)
			}
			stop()
			wg.Wait()
		})
	}
}

// look reads the state until the context ends.
func look(ctx context.Context, t *testing.T, p place, b *bundle.Bundle) {
	t.Helper()
	r := p.reader(t)
	looks := 0
	for ; ctx.Err() == nil; looks++ {
		state, err := r.Status(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			t.Errorf("reading failed: %v", err)
		case !state.tracked().equal(trackingAt(b, bundle.BirthAlembic, state.Version)):
			t.Errorf("version %d was read with the application's table saying %q", state.Version, state.Alembic)
		}
	}
	if err := r.Close(); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("closing: %v", err)
	}
	if looks < 10 {
		t.Errorf("only %d looks", looks)
	}
}
