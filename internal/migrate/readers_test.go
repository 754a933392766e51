package migrate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/step"
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

// TestReaderInADeadlock: a reader holds the version table and wants t; someone
// who holds t wants to drop the version table. The reader tries again.
func TestReaderInADeadlock(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(1)...)
	p := newPostgres(t)
	p.migrate(t, b, files, "1")
	dropped := make(chan error, 1)
	attempts := 0
	r := p.reader(t)
	err := r.observe(t.Context(), func(ctx context.Context, q step.Tx, _ State) error {
		if attempts++; attempts == 1 {
			dropUnderReader(context.WithoutCancel(ctx), t, p, dropped)
		}
		var n int
		return q.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&n)
	})
	if err := errors.Join(err, <-dropped, r.Close()); err != nil {
		t.Fatal(err)
	}
	if attempts != 2 {
		t.Errorf("it took %d attempts, want 2", attempts)
	}
}

// dropUnderReader locks t, and returns when it waits for alembic_version, which
// it wants to drop. It rolls back in the end.
func dropUnderReader(ctx context.Context, t *testing.T, p place, dropped chan<- error) {
	t.Helper()
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The reader is the one to notice, and so to lose.
	if _, err := tx.ExecContext(ctx, "SET LOCAL deadlock_timeout = '1min'; LOCK TABLE t IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := tx.ExecContext(ctx, "DROP TABLE alembic_version")
		dropped <- errors.Join(err, tx.Rollback())
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for waiting := 0; waiting == 0; <-tick.C {
		const query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'alembic_version'::regclass"
		if err := p.db.QueryRowContext(ctx, query).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTableMadeAgain: the snapshot knows the old table, and its name leads to
// the new one, which is empty to the snapshot.
func TestTableMadeAgain(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(1)...)
	p := newPostgres(t)
	p.migrate(t, b, files, "1")
	r := p.reader(t)
	if _, err := r.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := r.engine.snapshot(t.Context(), func(ctx context.Context, q step.Tx) error {
		facts, err := r.engine.inspect(ctx, q)
		if err != nil {
			return err
		}
		if err := r.engine.verify(ctx, q, facts); err != nil {
			return err
		}
		const again = "DROP TABLE alembic_version; CREATE TABLE alembic_version (version_num varchar(32))"
		if _, err := p.db.ExecContext(ctx, again); err != nil {
			return err
		}
		if rows, err := readNames(ctx, q, "SELECT version_num FROM alembic_version"); err != nil || len(rows) != 0 {
			t.Errorf("the new table shows %v, %v", rows, err)
		}
		if err := r.engine.verify(ctx, q, facts); !errors.Is(err, errStale) {
			t.Errorf("verify() = %v, want errStale", err)
		}
		return nil
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Error(err)
	}
}
