package migrate

import (
	"context"
	"math/rand/v2"
	"time"
)

// wait pauses, unless the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// jitter spreads a pause, so that runners that began together do not go on
// meeting each other.
func jitter(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause) //nolint:gosec // it needs no secrecy
}
