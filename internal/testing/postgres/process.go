package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	loopback = "127.0.0.1"

	// readyTimeout bounds how long a server may take to accept connections,
	// recovery after a crash included, on a machine with much else to do.
	readyTimeout = 90 * time.Second
	// endTimeout bounds an orderly shutdown; after it the process is killed.
	endTimeout = 60 * time.Second

	pollInterval = 10 * time.Millisecond
)

// errPortTaken says that another process bound the port first.
var errPortTaken = errors.New("port is in use")

// process is a server program and the log that it writes.
type process struct {
	cmd     *exec.Cmd
	logPath string
	exited  chan struct{} // closed when waitErr is set
	waitErr error
}

// spawn starts a program in dir and writes its output to a log there, over that
// of an earlier run. It gets no pipe of ours: "go test" waits until everybody
// has closed the test binary's output.
func (w *workspace) spawn(dir, program string, args ...string) (p *process, err error) {
	logPath := filepath.Join(dir, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	// It outlives the test's context, which ends before the cleanups run.
	cmd := w.command(context.Background(), dir, program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	p = &process{cmd: cmd, logPath: logPath, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		p.waitErr = cmd.Wait()
	}()
	return p, nil
}

// await returns nil when ready does. The program's own log is in the error.
func (p *process) await(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return p.checkAddresses()
		}
		select {
		case <-p.exited:
			return p.failure(p.waitErr)
		case <-ctx.Done():
			return p.failure(err)
		case <-poll.C:
		}
	}
}

// checkAddresses finds an address that the server could not have. It then goes
// on with those it has, and answers at its socket.
func (p *process) checkAddresses() error {
	log, err := os.ReadFile(p.logPath)
	if err != nil {
		return err
	}
	if addressInUse(log) {
		return p.failure(errPortTaken)
	}
	return nil
}

func addressInUse(log []byte) bool {
	return bytes.Contains(bytes.ToLower(log), []byte("address already in use"))
}

// failure explains err with the end of the log.
func (p *process) failure(err error) error {
	const most = 4096
	log, readErr := os.ReadFile(p.logPath)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	if addressInUse(log) && !errors.Is(err, errPortTaken) {
		err = errors.Join(errPortTaken, err)
	}
	if len(log) > most {
		log = log[len(log)-most:]
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, log)
}

// end sends a signal and waits until the process is gone. How it exits is its
// own affair.
func (p *process) end(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	deadline := time.NewTimer(endTimeout)
	defer deadline.Stop()
	select {
	case <-p.exited:
		return nil
	case <-deadline.C:
	}
	err := p.failure(fmt.Errorf("still running %s after %s", endTimeout, signal))
	if killErr := p.cmd.Process.Kill(); killErr == nil {
		<-p.exited
	}
	return err
}

// onFreePort calls launch with a port that was free at all addresses a moment
// ago, and again with another one if somebody was faster.
func onFreePort(addresses []string, launch func(port int) error) error {
	const attempts = 5
	var err error
	for range attempts {
		port, portErr := freePort(addresses)
		if portErr != nil {
			return portErr
		}
		if err = launch(port); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// freePort picks a port below those that the kernel gives to outgoing
// connections (from 32768) and that Kubernetes gives to services (from 30000):
// a stopped server must find its port free when it is started again.
func freePort(addresses []string) (int, error) {
	const first, count, attempts = 15000, 15000, 100
	var err error
	for range attempts {
		offset, randErr := rand.Int(rand.Reader, big.NewInt(count))
		if randErr != nil {
			return 0, randErr
		}
		port := first + int(offset.Int64())
		if err = bindable(addresses, port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("looking for a free port: %w", err)
}

func bindable(addresses []string, port int) error {
	var config net.ListenConfig
	for _, address := range addresses {
		listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

// processesIn lists the processes that work in a directory or below it: every
// process of PostgreSQL makes the data directory its own.
func processesIn(dir string) ([]int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended, or is not ours
		}
		if err != nil {
			return nil, err
		}
		if cwd == dir || strings.HasPrefix(cwd, dir+"/") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// killAllIn kills the processes that work in a directory, and returns when
// none is left.
func killAllIn(dir string) error {
	return awaitNone(dir, func(pid int) error {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return nil
	})
}

// awaitNone returns when no process works in a directory any more; each is
// told to act until then.
func awaitNone(dir string, act func(pid int) error) error {
	deadline := time.NewTimer(endTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		pids, err := processesIn(dir)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := act(pid); err != nil {
				return err
			}
		}
		select {
		case <-deadline.C:
			return fmt.Errorf("processes %v still work in %s", pids, dir)
		case <-poll.C:
		}
	}
}
