// Package postgres runs real PostgreSQL servers, and PgBouncer before them,
// for tests.
//
// [Shared] is the usual choice: one server for the whole test binary, started
// when the first test asks for it, and a database of its own for every test:
//
//	url := postgres.Shared(t).NewDatabase(t)
//
// [Start] gives a test a server to itself, which it may stop, kill or
// configure as it likes. Both are safe in parallel tests.
//
// The programs come from the Debian packages postgresql and pgbouncer. A test
// on a machine without them fails and says so; it is never skipped. PostgreSQL
// refuses to run as root, so there the servers run as the user "postgres" that
// the package creates.
//
// No server outlives the test binary, however that ends, SIGKILL included: see
// watchdog.go. For that reason no TestMain is needed.
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lib/pq"
)

// superuser is the role that initdb creates.
const superuser = "postgres"

// defaultMaxConnections is what a server accepts unless [MaxConnections] says
// otherwise: enough for a test binary whose parallel tests all use one server.
const defaultMaxConnections = 200

// Server is one running PostgreSQL server with its own data directory. Its
// methods may be called from several goroutines, but Stop, Kill and Restart
// say nothing about the connections that others have open.
type Server struct {
	workspace *workspace
	dir       string // data/, the socket and the log are below it
	addresses []string
	settings  []string
	port      int
	mounted   string // where SmallDisk has put a file system

	mu      sync.Mutex
	process *process // nil while the server is stopped
}

// Option changes how [Start] runs a server.
type Option func(*Server)

// MaxConnections limits the number of connections. The default is 200, and
// PostgreSQL keeps three of them for superusers.
func MaxConnections(n int) Option { return Setting("max_connections", strconv.Itoa(n)) }

// Setting sets a parameter of postgresql.conf. The last one given for a name
// wins, also over the defaults of this package.
func Setting(name, value string) Option {
	return func(s *Server) { s.settings = append(s.settings, name+"="+value) }
}

// ListenOn makes the server listen on further addresses of this machine, so
// that pods of a cluster on it can connect. It always listens on 127.0.0.1 and
// on a Unix socket.
func ListenOn(addresses ...string) Option {
	return func(s *Server) { s.addresses = append(s.addresses, addresses...) }
}

var shared = sync.OnceValues(func() (*Server, error) { return start() })

// Shared returns the server that all tests of this binary use together; the
// first call starts it, and it ends with the binary. A test must not stop,
// kill or reconfigure it, nor create roles without a name of their own.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatalf("Starting the shared PostgreSQL server: %v", err)
	}
	return s
}

// Start runs a server for tb alone and removes it when tb ends.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s, err := start(opts...)
	if err != nil {
		tb.Fatalf("Starting a PostgreSQL server: %v", err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(s.end(syscall.SIGQUIT), s.unmount(), os.RemoveAll(s.dir)); err != nil {
			tb.Errorf("Removing the PostgreSQL server: %v", err)
		}
	})
	return s
}

func start(opts ...Option) (*Server, error) {
	w, err := openWorkspace()
	if err != nil {
		return nil, err
	}
	dir, err := w.newServerDir()
	if err != nil {
		return nil, err
	}
	s := &Server{
		workspace: w,
		dir:       dir,
		addresses: []string{loopback},
		settings: []string{
			"unix_socket_directories=" + dir,
			"max_connections=" + strconv.Itoa(defaultMaxConnections),
			"shared_buffers=32MB",
			// Nobody reads the data after the machine has crashed.
			"fsync=off",
			"synchronous_commit=off",
			"full_page_writes=off",
			"timezone=UTC",
		},
	}
	for _, opt := range opts {
		opt(s)
	}
	err = onFreePort(s.addresses, func(port int) error {
		s.port = port
		return s.launch()
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// launch runs the server and returns when it accepts connections.
func (s *Server) launch() error {
	args := []string{
		"-D", filepath.Join(s.dir, "data"),
		"-c", "listen_addresses=" + strings.Join(s.addresses, ","),
		"-c", "port=" + strconv.Itoa(s.port),
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	p, err := s.workspace.spawn(s.dir, filepath.Join(s.workspace.binDir, "postgres"), args...)
	if err != nil {
		return err
	}
	s.process = p
	if err := p.await(func(ctx context.Context) error { return ping(ctx, s.socketURL()) }); err != nil {
		return errors.Join(err, s.endLocked(syscall.SIGQUIT))
	}
	return nil
}

// URL returns where a database of this server is reached over TCP, as the
// superuser and with its password.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.workspace.password),
		Host:     loopback + ":" + strconv.Itoa(s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketDir returns the directory of the server's Unix socket. Connections
// through it need no password, whichever role they name.
func (s *Server) SocketDir() string { return s.dir }

// Port returns the port that the server listens on; it stays the same when the
// server is restarted.
func (s *Server) Port() int { return s.port }

// socketURL connects as superuser to the maintenance database, past any
// password and any address a test has set.
func (s *Server) socketURL() string {
	query := url.Values{
		"host": {s.dir}, "port": {strconv.Itoa(s.port)}, "user": {superuser}, "sslmode": {"disable"},
	}
	return "postgres:///postgres?" + query.Encode()
}

var databases atomic.Int64

// NewDatabase creates an empty database and returns its URL. It is made from
// template0 with encoding UTF8 and the locale C.UTF-8, so that it contains and
// sorts the same on every machine. It is dropped, whoever is still connected,
// when tb ends.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	name := "test_" + strconv.FormatInt(databases.Add(1), 10)
	s.Exec(tb, "CREATE DATABASE "+name+
		" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'")
	tb.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.process == nil {
			return // the directory is removed with the server
		}
		err := execute(context.WithoutCancel(tb.Context()), s.socketURL(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		if err != nil {
			tb.Errorf("Dropping the test database: %v", err)
		}
	})
	return s.URL(name)
}

// Exec runs statements as superuser in the maintenance database "postgres":
// what concerns the server as a whole, such as roles and sessions. It may be
// called in a cleanup.
func (s *Server) Exec(tb testing.TB, query string, args ...any) {
	tb.Helper()
	if err := execute(context.WithoutCancel(tb.Context()), s.socketURL(), query, args...); err != nil {
		tb.Fatalf("Executing %q: %v", query, err)
	}
}

// Stop ends the server as an administrator would: it rolls open transactions
// back, disconnects everybody and leaves a clean data directory. Stopping a
// stopped server does nothing.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.end(syscall.SIGINT); err != nil {
		tb.Fatalf("Stopping PostgreSQL: %v", err)
	}
}

// Kill ends all processes of the server with SIGKILL at once, as a crash of
// the machine would; what was not committed is gone.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if err := s.end(syscall.SIGKILL); err != nil {
		tb.Fatalf("Killing PostgreSQL: %v", err)
	}
}

// Restart starts the server again, at the same address and with the same data,
// after Stop or Kill; a running server is stopped first. The given options are
// added to the earlier ones.
func (s *Server) Restart(tb testing.TB, opts ...Option) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.endLocked(syscall.SIGINT)
	if err == nil {
		for _, opt := range opts {
			opt(s)
		}
		err = s.launch()
	}
	if err != nil {
		tb.Fatalf("Restarting PostgreSQL: %v", err)
	}
}

// Standby restarts the server as a standby of nobody, which takes no writes until
// [Server.Promote].
func (s *Server) Standby(tb testing.TB) {
	tb.Helper()
	path := filepath.Join(s.dir, "data", "standby.signal")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), s.workspace.account.own(path)); err != nil {
		tb.Fatalf("Making the PostgreSQL server a standby: %v", err)
	}
	s.Restart(tb)
}

// Promote makes a standby an ordinary server again.
func (s *Server) Promote(tb testing.TB) {
	tb.Helper()
	s.Exec(tb, "SELECT pg_promote()")
}

func (s *Server) end(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked(signal)
}

func (s *Server) endLocked(signal syscall.Signal) error {
	if s.process == nil {
		return nil
	}
	p := s.process
	s.process = nil
	if signal != syscall.SIGKILL {
		return p.end(signal)
	}
	// The backends survive their postmaster by a moment, and hold the shared
	// memory that a new one needs.
	return errors.Join(p.end(signal), killAllIn(s.dir))
}

// Open returns a pool for a database, closed when tb ends.
func Open(tb testing.TB, databaseURL string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("postgres", databaseURL)
	if err != nil {
		tb.Fatalf("Opening a database: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Closing a database: %v", err)
		}
	})
	return db
}

func execute(ctx context.Context, databaseURL, query string, args ...any) (err error) {
	connector, err := pq.NewConnector(databaseURL)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = cmp.Or(err, db.Close()) }()
	_, err = db.ExecContext(ctx, query, args...)
	return err
}

func ping(ctx context.Context, databaseURL string) error {
	if err := execute(ctx, databaseURL, "SELECT 1"); err != nil {
		return fmt.Errorf("waiting for connections: %w", err)
	}
	return nil
}
