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
	port int
}

// StartPgBouncer runs PgBouncer before a server and removes it when tb ends.
// Apart from the pool mode it has the settings that PgBouncer comes with: it
// refuses start-up parameters that it does not know. Every role of the server
// can connect with its own password.
func StartPgBouncer(tb testing.TB, server *Server, mode PoolMode) *PgBouncer {
	tb.Helper()
	program, err := findPgBouncer()
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := server.workspace.newDir("pgbouncer-")
	if err != nil {
		tb.Fatalf("Creating PgBouncer's directory: %v", err)
	}
	b := &PgBouncer{}
	var p *process
	err = onFreePort([]string{loopback}, func(port int) (err error) {
		b.port = port
		p, err = launchPgBouncer(server, dir, program, mode, port)
		return err
	})
	if err != nil {
		tb.Fatalf("Starting PgBouncer: %v", err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(p.end(syscall.SIGTERM), os.RemoveAll(dir)); err != nil {
			tb.Errorf("Removing PgBouncer: %v", err)
		}
	})
	return b
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

func launchPgBouncer(server *Server, dir, program string, mode PoolMode, port int) (*process, error) {
	users := fmt.Sprintf("%q %q\n", superuser, server.workspace.password)
	// The connections to the server go through its socket, where it asks for no
	// password: PgBouncer cannot pass on the proofs of SCRAM.
	config := fmt.Sprintf(`[databases]
* = host=%s port=%d

[pgbouncer]
listen_addr = %s
listen_port = %d
unix_socket_dir = %s
auth_type = scram-sha-256
auth_file = %s
auth_user = %s
pool_mode = %s
max_client_conn = %d
`, server.dir, server.port, loopback, port, dir, filepath.Join(dir, "users.txt"), superuser, mode, defaultMaxConnections)
	for name, content := range map[string]string{"users.txt": users, "pgbouncer.ini": config} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return nil, err
		}
		if err := server.workspace.account.own(path); err != nil {
			return nil, err
		}
	}
	p, err := server.workspace.spawn(dir, program, filepath.Join(dir, "pgbouncer.ini"))
	if err != nil {
		return nil, err
	}
	// Through its socket: at the TCP port another program might answer.
	through := url.Values{
		"host": {dir}, "port": {strconv.Itoa(port)}, "sslmode": {"disable"},
		"user": {superuser}, "password": {server.workspace.password},
	}
	err = p.await(func(ctx context.Context) error { return ping(ctx, "postgres:///postgres?"+through.Encode()) })
	if err != nil {
		return nil, errors.Join(err, p.end(syscall.SIGTERM))
	}
	return p, nil
}
