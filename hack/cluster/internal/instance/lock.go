package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock serializes the programs that change this instance. It waits until the
// lock is free or the context ends; waiting is called once if it has to wait.
// The lock goes with the process, so a killed program leaves none behind.
func (i Instance) Lock(ctx context.Context, waiting func()) (unlock func(), err error) {
	return LockFile(ctx, filepath.Join(RunRoot, ".locks", i.Name), waiting)
}

// LockFile takes an exclusive advisory lock on the file, creating it and its
// directory. See Instance.Lock.
func LockFile(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("creating the directory of lock %s: %w", path, err)
	}
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock %s: %w", path, err)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for first := true; ; first = false {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Closing releases the lock; nothing was written that could be lost.
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), file.Close())
		}
		if first && waiting != nil {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("waiting for lock %s: %w", path, ctx.Err()), file.Close())
		case <-ticker.C:
		}
	}
}
