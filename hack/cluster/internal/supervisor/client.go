package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/schemagate/schemagate/hack/cluster/internal/process"
)

// ErrUnresponsive is returned when a supervisor runs but does not answer.
var ErrUnresponsive = errors.New("the node's first process does not answer")

// Client gives orders to the supervisor of a running node.
type Client struct {
	http *http.Client
}

// NewClient returns a client for the supervisor that listens on the socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 30 * time.Second}}
}

// Launch starts a supervisor in new namespaces, as the given verb of this very
// program. It outlives the caller; see AwaitReady.
func Launch(ctx context.Context, verb, log string, config Config) (process.Identity, error) {
	argument, err := json.Marshal(config)
	if err != nil {
		return process.Identity{}, fmt.Errorf("encoding the configuration: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return process.Identity{}, fmt.Errorf("locating this program: %w", err)
	}
	output, err := os.OpenFile(filepath.Clean(log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return process.Identity{}, fmt.Errorf("opening the node's log: %w", err)
	}
	defer func() { _ = output.Close() }() // the supervisor has its own descriptor
	// A socket left over by a killed one would be taken for the new one's.
	if err := os.Remove(config.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return process.Identity{}, fmt.Errorf("removing the old socket: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, verb, string(argument))
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, "/", output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS,
	}
	if err := cmd.Start(); err != nil {
		return process.Identity{}, fmt.Errorf("creating the node's namespaces: %w", err)
	}
	id, err := process.Identify(cmd.Process.Pid)
	if err != nil {
		return process.Identity{}, err
	}
	if err := cmd.Process.Release(); err != nil {
		return process.Identity{}, fmt.Errorf("detaching from the node: %w", err)
	}
	return id, nil
}

// AwaitReady waits until the supervisor takes orders at its socket.
func AwaitReady(ctx context.Context, id process.Identity, socket string) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(socket); err == nil {
			return nil
		}
		if !id.Alive() {
			return errors.New("the node's first process ended at once")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the node's first process: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

// Ensure starts the component unless it runs already by the same spec.
func (c *Client) Ensure(ctx context.Context, spec Spec) (Status, error) {
	var status Status
	err := c.do(ctx, http.MethodPut, spec, &status)
	return status, err
}

// Statuses returns every component that was ever started.
func (c *Client) Statuses(ctx context.Context) ([]Status, error) {
	var all []Status
	err := c.do(ctx, http.MethodGet, nil, &all)
	return all, err
}

func (c *Client) do(ctx context.Context, method string, order, result any) (err error) {
	body, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("encoding the order: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://node/components", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("building the order: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnresponsive, err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnresponsive, err)
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(content)))
	}
	if err := json.Unmarshal(content, result); err != nil {
		return fmt.Errorf("decoding the node's answer: %w", err)
	}
	return nil
}
