package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisk is the size of the file system that SmallDisk makes. A data directory
// has 40 MiB at first, and writes as much again now and then.
const smallDisk = "size=768m,mode=0700"

// SmallDisk moves the data of the server to a small file system of its own, for
// [Server.FillDisk]; the server is restarted. The file system goes with the server
// that [Start] has started. It needs root, as pods that mount things do.
func (s *Server) SmallDisk(tb testing.TB) {
	tb.Helper()
	s.Stop(tb)
	data, aside := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "aside")
	err := errors.Join(os.Rename(data, aside), os.Mkdir(data, 0o700))
	if err == nil {
		err = syscall.Mount("schemagate-test", data, "tmpfs", 0, smallDisk)
	}
	if err != nil {
		tb.Fatalf("Mounting a small disk for PostgreSQL: %v", err)
	}
	s.mounted = data
	ctx, cancel := context.WithTimeout(tb.Context(), initTimeout)
	defer cancel()
	if output, err := exec.CommandContext(ctx, "cp", "-a", aside+"/.", data).CombinedOutput(); err != nil {
		tb.Fatalf("Copying the data directory: %v\n%s", err, output)
	}
	if err := os.RemoveAll(aside); err != nil {
		tb.Fatalf("Removing the first data directory: %v", err)
	}
	s.Restart(tb)
}

// unmount removes the small file system, if there is one.
func (s *Server) unmount() error {
	if s.mounted == "" {
		return nil
	}
	return syscall.Unmount(s.mounted, syscall.MNT_DETACH)
}

func (s *Server) ballast() string { return filepath.Join(s.dir, "data", "ballast") }

// FillDisk leaves no byte on the disk that [Server.SmallDisk] has made. What
// PostgreSQL does then is its own affair; it may well end.
func (s *Server) FillDisk(tb testing.TB) {
	tb.Helper()
	var disk, parent syscall.Stat_t
	err := errors.Join(syscall.Stat(filepath.Join(s.dir, "data"), &disk), syscall.Stat(s.dir, &parent))
	if err == nil && disk.Dev == parent.Dev {
		err = errors.New("it is the machine's own: call SmallDisk first")
	}
	if err != nil {
		tb.Fatalf("Filling the disk of PostgreSQL: %v", err)
	}
	file, err := os.OpenFile(s.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatalf("Filling the disk of PostgreSQL: %v", err)
	}
	_, err = io.Copy(file, endless{})
	if err = errors.Join(err, file.Close()); !errors.Is(err, syscall.ENOSPC) {
		tb.Fatalf("Filling the disk of PostgreSQL ended with %v", err)
	}
}

type endless struct{}

func (endless) Read(into []byte) (int, error) { return len(into), nil }

// FreeDisk gives the room back, and starts the server again if it has ended.
func (s *Server) FreeDisk(tb testing.TB) {
	tb.Helper()
	if err := os.Remove(s.ballast()); err != nil {
		tb.Fatalf("Freeing the disk of PostgreSQL: %v", err)
	}
	if err := ping(context.WithoutCancel(tb.Context()), s.socketURL()); err != nil {
		tb.Log(fmt.Errorf("PostgreSQL has ended for want of room: %w", err))
		s.Restart(tb)
	}
}
