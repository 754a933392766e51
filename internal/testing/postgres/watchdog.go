package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// The watchdog ends what this test binary has started, and removes its files,
// once the binary is gone.
//
// It waits for the end of a pipe whose other end only the test binary holds.
// The kernel closes that end when the process ends, whatever ended it: the
// last test, a panic, the time limit of "go test", an interrupt or SIGKILL.
// PR_SET_PDEATHSIG would not do, because it fires when the thread that started
// the child ends, and the Go runtime ends threads as it likes; nor would
// TestMain, which does not survive SIGKILL and which every package would have
// to remember.
//
// It is a shell script and not the test binary run again, so that nothing
// depends on what other packages do when they are initialized. SIGQUIT makes
// PostgreSQL exit at once and still free its shared memory, which SIGKILL
// would leave behind for ever; that is for those that do not listen.
const watchdog = `
cat >/dev/null
ticks=0
while pids=$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1/*" 2>/dev/null | cut -d/ -f3) && [ -n "$pids" ]; do
	case $ticks in
	0) kill -s QUIT $pids ;;
	50) kill -s KILL $pids ;;
	100) exit 1 ;;
	esac
	ticks=$((ticks + 1))
	sleep 0.1
done 2>/dev/null
umount -l "$1"/*/data 2>/dev/null # the small disks of SmallDisk
rm -rf "$1"
`

// watch starts the watchdog over a directory. It returns the lifeline: the end
// of the pipe that closes with this process. The caller must keep a reference,
// or the garbage collector closes it earlier.
func watch(dir string) (lifeline *os.File, err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", watchdog, "watchdog", dir)
	cmd.Stdin = reader
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt at the terminal must not end it
	err = cmd.Start()
	if err == nil {
		err = cmd.Process.Release()
	}
	if err = errors.Join(err, reader.Close()); err != nil {
		return nil, fmt.Errorf("starting the watchdog: %w", errors.Join(err, writer.Close()))
	}
	return writer, nil
}
