// Package process identifies processes of this machine beyond their number,
// which the kernel gives to another process as soon as the first has ended.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrStillRunning is returned when processes did not end in time.
var ErrStillRunning = errors.New("still running")

// Identity tells a process from any other that had or will have its number.
type Identity struct {
	PID int `json:"pid"`
	// Start is when it started, in clock ticks since boot.
	Start uint64 `json:"start"`
	// Boot is the kernel's boot id: ticks repeat after a reboot.
	Boot string `json:"boot"`
}

// Identify returns the identity of a running process.
func Identify(pid int) (Identity, error) {
	stat, err := readStat(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := bootID()
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Start: stat.start, Boot: boot}, nil
}

// Alive reports whether this very process still runs. A zombie does not.
func (id Identity) Alive() bool {
	if id.PID <= 0 {
		return false
	}
	stat, err := readStat(id.PID)
	if err != nil || stat.zombie || stat.start != id.Start {
		return false
	}
	boot, err := bootID()
	return err == nil && boot == id.Boot
}

// Signal sends the signal to this very process. A process that has ended, or
// whose number now belongs to another, is no error.
func (id Identity) Signal(signal unix.Signal) error {
	// The descriptor is taken before the check: from then on the number may be
	// recycled, but the descriptor still means the process that was checked.
	fd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening process %d: %w", id.PID, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !id.Alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("sending %s to process %d: %w", unix.SignalName(signal), id.PID, err)
	}
	return nil
}

// AwaitExit waits until none of the processes runs, and returns
// ErrStillRunning with their numbers when the context ends first.
func AwaitExit(ctx context.Context, processes ...Identity) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		running := make([]string, 0, len(processes))
		for _, id := range processes {
			if id.Alive() {
				running = append(running, id.String())
			}
		}
		if len(running) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ErrStillRunning, strings.Join(running, ", "))
		case <-ticker.C:
		}
	}
}

// String is the number and, while it runs, the command.
func (id Identity) String() string {
	command, err := os.ReadFile(procPath(id.PID, "comm"))
	if err != nil {
		return strconv.Itoa(id.PID)
	}
	return fmt.Sprintf("%d (%s)", id.PID, strings.TrimSpace(string(command)))
}

// stat holds the fields of /proc/<pid>/stat that are used here.
type stat struct {
	parent int
	start  uint64
	zombie bool
}

func readStat(pid int) (stat, error) {
	content, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return stat{}, fmt.Errorf("reading process %d: %w", pid, err)
	}
	return parseStat(string(content))
}

// parseStat skips the command, which may contain spaces and parentheses.
// Fields are counted as in proc(5): the state is number 3.
func parseStat(content string) (stat, error) {
	_, rest, found := cutLast(content, ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return stat{}, fmt.Errorf("unexpected process status %q", content)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return stat{}, fmt.Errorf("parsing the parent in process status: %w", err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("parsing the start time in process status: %w", err)
	}
	return stat{parent: parent, start: start, zombie: fields[0] == "Z" || fields[0] == "X"}, nil
}

func cutLast(s, separator string) (before, after string, found bool) {
	at := strings.LastIndex(s, separator)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(separator):], true
}

func bootID() (string, error) {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}

func procPath(pid int, file string) string {
	return fmt.Sprintf("/proc/%d/%s", pid, file)
}
