package migrate

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	ours := postgres.NewAuthority(t)
	server.ServeTLS(t, ours, "localhost")
	server.Exec(t, "CREATE ROLE client LOGIN SUPERUSER IN ROLE "+postgres.Certified)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := ours.Client(t, "client")
	ca := "&sslrootcert=" + write("ca.crt", ours.PEM)
	clientFiles := "&sslcert=" + write("client.crt", cert) + "&sslkey=" + write("client.key", key)
	otherCA := "&sslrootcert=" + write("other.crt", postgres.NewAuthority(t).PEM)
	base, err := url.Parse(server.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	b, files := bundleOf(t, chain(1)...)
	tests := map[string]struct {
		host, query, user string
		reason            result.Reason // empty: it connects
	}{
		"not given":                  {},
		"prefer":                     {query: "sslmode=prefer"},
		"require":                    {query: "sslmode=require"},
		"disable":                    {query: "sslmode=disable", reason: result.ReasonAuthentication},
		"verify-ca":                  {query: "sslmode=verify-ca" + ca},
		"verify-full":                {query: "sslmode=verify-full" + ca},
		"verify-full, another name":  {host: "127.0.0.1", query: "sslmode=verify-full" + ca, reason: result.ReasonAuthentication},
		"verify-ca, another name":    {host: "127.0.0.1", query: "sslmode=verify-ca" + ca},
		"verify-ca, another CA":      {query: "sslmode=verify-ca" + otherCA, reason: result.ReasonAuthentication},
		"verify-full, another CA":    {query: "sslmode=verify-full" + otherCA, reason: result.ReasonAuthentication},
		"verify-full, CA missing":    {query: "sslmode=verify-full&sslrootcert=/missing.crt", reason: result.ReasonAuthentication},
		"client certificate":         {query: "sslmode=verify-full" + ca + clientFiles, user: "client"},
		"client certificate missing": {query: "sslmode=verify-full" + ca, user: "client", reason: result.ReasonAuthentication},
		"client certificate no file": {query: "sslmode=require&sslcert=/missing.crt&sslkey=/missing.key", user: "client", reason: result.ReasonAuthentication},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u := *base
			u.Host = net.JoinHostPort("localhost", u.Port())
			if tt.host != "" {
				u.Host = net.JoinHostPort(tt.host, base.Port())
			}
			if tt.user != "" {
				u.User = url.User(tt.user)
			}
			u.RawQuery = tt.query
			got := migrateWith(t, place{url: u.String()}.options(t, b, files, "1"))
			if tt.reason != "" {
				got.wantReason(t, result.Transient, tt.reason)
			} else if got.err != nil {
				t.Error(got.err)
			}
		})
	}
}

func TestSocketsAndIPv6(t *testing.T) {
	t.Parallel()
	addresses := []string{"127.0.0.1"}
	var config net.ListenConfig
	if l, err := config.Listen(t.Context(), "tcp", "[::1]:0"); err != nil {
		t.Logf("This machine has no IPv6, which is left out: %v", err)
	} else if err := l.Close(); err != nil {
		t.Fatal(err)
	} else {
		addresses = append(addresses, "::1")
	}
	server := postgres.Start(t, postgres.ListenOn(addresses[1:]...))
	base, err := url.Parse(server.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := base.User.Password()
	name := strings.TrimPrefix(base.Path, "/")
	b, files := bundleOf(t, chain(1)...)
	try := func(t *testing.T, o Options) {
		t.Helper()
		if got := migrateWith(t, o); got.err != nil {
			t.Error(got.err)
		}
	}
	for _, address := range addresses {
		base.Host = net.JoinHostPort(address, base.Port())
		base.RawQuery = ""
		try(t, place{url: base.String()}.options(t, b, files, "1"))
		d, err := dburl.FromFields(dburl.Fields{Host: address, Port: server.Port(), Name: name, User: "postgres", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		o := place{url: base.String()}.options(t, b, files, "1")
		o.Database = d
		try(t, o)
	}
	socket := url.Values{"host": {server.SocketDir()}, "port": {strconv.Itoa(server.Port())}, "user": {"postgres"}}
	try(t, place{url: "postgresql+psycopg2:///" + name + "?" + socket.Encode()}.options(t, b, files, "1"))
}

// TestOddPasswords: every printable character of ASCII and some others reach
// the server as they are.
func TestOddPasswords(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	b, files := bundleOf(t, chain(1)...)
	base, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		all.WriteByte(c)
	}
	all.WriteString("øß\u4e2d")
	role := "odd_" + p.text(t, "SELECT md5(current_database())")
	p.exec(t, "CREATE ROLE "+role+" LOGIN SUPERUSER PASSWORD "+literal(all.String()))
	t.Cleanup(func() {
		if _, err := p.db.ExecContext(context.WithoutCancel(t.Context()), "REASSIGN OWNED BY "+role+" TO postgres; DROP ROLE "+role); err != nil {
			t.Errorf("Dropping the role: %v", err)
		}
	})
	base.User = url.UserPassword(role, all.String())
	if got := migrateWith(t, place{url: base.String()}.options(t, b, files, "1")); got.err != nil {
		t.Error(got.err)
	}
}

// TestServerThatFallsSilent: packets that vanish must not hold a run that was
// told to stop, nor one that connects.
func TestServerThatFallsSilent(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	p := newPostgres(t)
	p.migrate(t, b, files, "1")

	for name, cut := range map[string]int{"while connecting": 1, "while migrating": 25} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, through := startProxy(t, p.url, cut, silence)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := place{url: through}.options(t, b, files, "3")
			o.ConnectTimeout = 2 * time.Second
			r, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			context.AfterFunc(proxy.silent, func() {
				if cut > 1 {
					cancel()
				}
			})
			began := time.Now()
			res, err := r.Run(ctx)
			reason := result.ReasonInterrupted
			if cut == 1 {
				reason = result.ReasonUnreachable
			}
			outcome{Result: res, err: err}.wantReason(t, result.Transient, reason)
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > closeGrace+5*time.Second {
				t.Errorf("it took %s to give up", took)
			}
		})
	}
}

// TestStandby: a server that takes no writes for now is one to try again at.
func TestStandby(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(2)...)
	server := postgres.Start(t)
	u := server.NewDatabase(t)
	p := place{url: u, db: postgres.Open(t, u)}
	p.migrate(t, b, files, "1")
	server.Standby(t)
	migrateWith(t, p.options(t, b, files, "2")).wantReason(t, result.Transient, result.ReasonReadOnly)
	for _, attributes := range []string{"read-write", "primary"} {
		asking := place{url: u + "&target_session_attrs=" + attributes}
		migrateWith(t, asking.options(t, b, files, "2")).wantReason(t, result.Transient, result.ReasonUnreachable)
	}
	server.Promote(t)
	p.migrate(t, b, files, "2")
}
