package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Run is the main function of the node's first process. It returns after
// SIGTERM, when the components have ended.
func Run(ctx context.Context, argument string) error {
	if os.Getpid() != 1 {
		return errors.New("the supervisor is started by the program itself, as the first process of a node")
	}
	var config Config
	if err := json.Unmarshal([]byte(argument), &config); err != nil {
		return fmt.Errorf("decoding the configuration: %w", err)
	}
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM)
	defer stop()
	if err := prepare(config); err != nil {
		return err
	}
	components := new(table)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		for range ended {
			components.reap()
		}
	}()
	return errors.Join(serve(ctx, config.Socket, components), components.stopAll(context.WithoutCancel(ctx)))
}

func prepare(config Config) error {
	if err := unix.Sethostname([]byte(config.HostName)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := raiseFileLimit(); err != nil {
		return err
	}
	return mountAll(config)
}

// raiseFileLimit makes the most of what the machine allows. It goes through
// package syscall, which then hands the limit down to the components.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raising the limit of open files: %w", err)
	}
	return nil
}

// serve answers on the socket until the context ends. The socket appears when
// the node is ready to start components.
func serve(ctx context.Context, socket string, components *table) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the old socket: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listening for orders: %w", err)
	}
	server := &http.Server{Handler: handler(components), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("Node is prepared", "socket", socket)
	select {
	case err := <-failed:
		return fmt.Errorf("serving orders: %w", err)
	case <-ctx.Done():
		slog.Info("Node is stopping")
		return server.Close()
	}
}

func handler(components *table) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /components", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, components.statuses(), nil)
	})
	mux.HandleFunc("PUT /components", func(w http.ResponseWriter, r *http.Request) {
		var spec Spec
		if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
			answer(w, nil, fmt.Errorf("decoding the order: %w", err))
			return
		}
		status, err := components.ensure(r.Context(), spec)
		answer(w, status, err)
	})
	return mux
}

func answer(w http.ResponseWriter, result any, err error) {
	if err != nil {
		slog.Error("Refused an order", "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(result); err != nil {
		slog.Error("Lost an answer", "error", err)
	}
}
