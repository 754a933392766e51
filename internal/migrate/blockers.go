package migrate

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// errDiscard makes database/sql close a connection rather than keep it.
var errDiscard = driver.ErrBadConn

// blockerWatch asks, from a second connection, who holds up a backend. After
// a lock timeout it would be too late: the backend waits for nobody any more.
type blockerWatch struct {
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex
	seen []result.Blocker
}

// The watch begins with its first tick, so that a migration that waits for
// nothing opens no second connection.
const (
	watchMin = 20 * time.Millisecond
	watchMax = time.Second
)

func (e *postgresEngine) watch(ctx context.Context, pid int) *blockerWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := &blockerWatch{cancel: cancel, ended: make(chan struct{})}
	every := watchMax
	if e.options.lockTimeout > 0 {
		every = max(watchMin, min(e.options.lockTimeout/4, watchMax))
	}
	go func() {
		defer close(w.ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.look(ctx, e, pid)
			}
		}
	}()
	return w
}

// look keeps the last blockers seen. Not knowing them is no reason to fail.
func (w *blockerWatch) look(ctx context.Context, e *postgresEngine, pid int) {
	var found []result.Blocker
	err := e.snapshot(ctx, func(ctx context.Context, q step.Tx) (err error) {
		found, err = readBlockers(ctx, q, fmt.Sprintf("SELECT unnest(pg_blocking_pids(%d)) AS pid", pid))
		return err
	})
	if err != nil || len(found) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = found
}

// last returns the blockers seen last, if any. Without a watch nobody was seen.
func (w *blockerWatch) last() []result.Blocker {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// stop ends the watch, if there is one, and waits for it.
func (w *blockerWatch) stop() {
	if w == nil {
		return
	}
	w.cancel()
	<-w.ended
}

// readBlockers groups the sessions whose process ids a query returns. It reads
// neither queries nor users: a query may hold data.
func readBlockers(ctx context.Context, q step.Tx, pids string) (out []result.Blocker, err error) {
	rows, err := q.QueryContext(ctx, `SELECT coalesce(a.application_name, ''), min(p.pid), count(*)
		FROM (`+pids+`) p LEFT JOIN pg_stat_activity a ON a.pid = p.pid GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("reading blockers: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b result.Blocker
		if err := rows.Scan(&b.Application, &b.PID, &b.Count); err != nil {
			return nil, fmt.Errorf("reading blockers: %w", err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}
