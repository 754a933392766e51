package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// PoolMode is how long PgBouncer leaves a connection to one client.
type PoolMode string

// The pool modes of PgBouncer: until the client disconnects, until its
// transaction ends, until its statement ends.
const (
	PoolSession     PoolMode = "session"
	PoolTransaction PoolMode = "transaction"
	PoolStatement   PoolMode = "statement"
)

// PgBouncer is a connection pooler before one server.
type PgBouncer struct {
	server    *Server
	dir       string
	program   string
	mode      PoolMode
	addresses []string
	signsIn   bool // as the superuser, whoever comes
	port      int
	process   *process
}

// StartPgBouncer runs PgBouncer before a server and removes it when tb ends.
// Apart from the pool mode it has the settings that PgBouncer comes with: it
// refuses start-up parameters that it does not know. Every role of the server
// can connect with its own password. It listens on 127.0.0.1, and on further
// addresses of this machine so that pods of a cluster on it can connect.
func StartPgBouncer(tb testing.TB, server *Server, mode PoolMode, addresses ...string) *PgBouncer {
	tb.Helper()
	b := &PgBouncer{server: server, mode: mode, addresses: append([]string{loopback}, addresses...)}
	b.start(tb)
	return b
}

// StartProxy runs what stands in for the proxies of cloud providers: it asks nobody
// for a password, and signs in at the server by itself, as the superuser.
func StartProxy(tb testing.TB, server *Server, addresses ...string) *PgBouncer {
	tb.Helper()
	b := &PgBouncer{server: server, mode: PoolSession, signsIn: true, addresses: append([]string{loopback}, addresses...)}
	b.start(tb)
	return b
}

// Port returns the port that PgBouncer listens on.
func (b *PgBouncer) Port() int { return b.port }

func (b *PgBouncer) start(tb testing.TB) {
	tb.Helper()
	program, err := findPgBouncer()
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := b.server.workspace.newDir("pgbouncer-")
	if err != nil {
		tb.Fatalf("Creating PgBouncer's directory: %v", err)
	}
	b.dir, b.program = dir, program
	err = onFreePort(b.addresses, func(port int) error {
		b.port = port
		return b.launch()
	})
	if err != nil {
		tb.Fatalf("Starting PgBouncer: %v", err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(b.process.end(syscall.SIGTERM), os.RemoveAll(dir)); err != nil {
			tb.Errorf("Removing PgBouncer: %v", err)
		}
	})
}

// Kill ends PgBouncer without giving it the time to say goodbye to anybody.
func (b *PgBouncer) Kill(tb testing.TB) {
	tb.Helper()
	if err := b.process.end(syscall.SIGKILL); err != nil {
		tb.Fatalf("Killing PgBouncer: %v", err)
	}
}

// Restart starts PgBouncer again after [PgBouncer.Kill], at the same port.
func (b *PgBouncer) Restart(tb testing.TB) {
	tb.Helper()
	if err := b.launch(); err != nil {
		tb.Fatalf("Starting PgBouncer again: %v", err)
	}
}

// URL returns a server's database URL led through PgBouncer: the same
// database, user, password and parameters at PgBouncer's address.
func (b *PgBouncer) URL(tb testing.TB, databaseURL string) string {
	tb.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatalf("Parsing a database URL: %v", err)
	}
	u.Host = net.JoinHostPort(loopback, strconv.Itoa(b.port))
	return u.String()
}

func findPgBouncer() (string, error) {
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		return path, nil
	}
	// Debian puts it where the PATH of an ordinary user does not lead.
	if path := "/usr/sbin/pgbouncer"; isFile(path) {
		return path, nil
	}
	return "", errors.New("no pgbouncer in PATH or /usr/sbin: install the Debian package pgbouncer")
}

func (b *PgBouncer) launch() error {
	server, port := b.server, strconv.Itoa(b.port)
	users := fmt.Sprintf("%q %q\n", superuser, server.workspace.password)
	// The connections to the server go through its socket, where it asks for no
	// password: PgBouncer cannot pass on the proofs of SCRAM.
	authentication, user := "scram-sha-256", ""
	if b.signsIn {
		authentication, user = "any", "user="+superuser
	}
	config := fmt.Sprintf(`[databases]
* = host=%s port=%d %s

[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir = %s
auth_type = %s
auth_file = %s
auth_user = %s
pool_mode = %s
max_client_conn = %d
`, server.dir, server.port, user, strings.Join(b.addresses, ","), port, b.dir, authentication, filepath.Join(b.dir, "users.txt"), superuser, b.mode,
		defaultMaxConnections)
	for name, content := range map[string]string{"users.txt": users, "pgbouncer.ini": config} {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		if err := server.workspace.account.own(path); err != nil {
			return err
		}
	}
	p, err := server.workspace.spawn(b.dir, b.program, filepath.Join(b.dir, "pgbouncer.ini"))
	if err != nil {
		return err
	}
	// Through its socket: at the TCP port another program might answer.
	through := url.Values{
		"host": {b.dir}, "port": {port}, "sslmode": {"disable"},
		"user": {superuser}, "password": {server.workspace.password},
	}
	err = p.await(func(ctx context.Context) error { return ping(ctx, "postgres:///postgres?"+through.Encode()) })
	if err != nil {
		return errors.Join(err, p.end(syscall.SIGTERM))
	}
	b.process = p
	return nil
}
