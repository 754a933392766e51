package migrate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// authority issues certificates for a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{dir: dir}
	a.cert, a.key = a.issue(t, name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue writes <name>.crt and <name>.key and returns both.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// write makes a private file that belongs to the owner of its directory.
func (a *authority) write(t *testing.T, name string, body []byte) {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("files have no owner here")
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	theirs := newAuthority(t, server.SocketDir(), "ca")
	theirs.issue(t, "server", &x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}})
	ours := &authority{dir: t.TempDir(), cert: theirs.cert, key: theirs.key}
	ours.issue(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: "certified"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	other := newAuthority(t, t.TempDir(), "other")
	in := func(name string) string { return filepath.Join(server.SocketDir(), name) }
	theirs.write(t, "hba.conf", []byte("local all all trust\nhostssl all certified all cert\nhostssl all all all scram-sha-256\n"))
	server.Restart(t, postgres.Setting("ssl", "on"), postgres.Setting("ssl_cert_file", in("server.crt")), postgres.Setting("ssl_key_file", in("server.key")),
		postgres.Setting("ssl_ca_file", in("ca.crt")), postgres.Setting("hba_file", in("hba.conf")))
	server.Exec(t, "CREATE ROLE certified LOGIN SUPERUSER")
	base, err := url.Parse(server.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	b, files := bundleOf(t, chain(1)...)
	clientFiles := "&sslcert=" + filepath.Join(ours.dir, "client.crt") + "&sslkey=" + filepath.Join(ours.dir, "client.key")
	otherCA := "&sslrootcert=" + filepath.Join(other.dir, "other.crt")
	tests := map[string]struct {
		host, query, user string
		reason            result.Reason // empty: it connects
	}{
		"not given":                  {},
		"prefer":                     {query: "sslmode=prefer"},
		"require":                    {query: "sslmode=require"},
		"disable":                    {query: "sslmode=disable", reason: result.ReasonAuthentication},
		"verify-ca":                  {query: "sslmode=verify-ca&sslrootcert=" + in("ca.crt")},
		"verify-full":                {query: "sslmode=verify-full&sslrootcert=" + in("ca.crt")},
		"verify-full, another name":  {host: "127.0.0.1", query: "sslmode=verify-full&sslrootcert=" + in("ca.crt"), reason: result.ReasonAuthentication},
		"verify-ca, another name":    {host: "127.0.0.1", query: "sslmode=verify-ca&sslrootcert=" + in("ca.crt")},
		"verify-ca, another CA":      {query: "sslmode=verify-ca" + otherCA, reason: result.ReasonAuthentication},
		"verify-full, another CA":    {query: "sslmode=verify-full" + otherCA, reason: result.ReasonAuthentication},
		"verify-full, CA missing":    {query: "sslmode=verify-full&sslrootcert=/missing.crt", reason: result.ReasonAuthentication},
		"client certificate":         {query: "sslmode=verify-full&sslrootcert=" + in("ca.crt") + clientFiles, user: "certified"},
		"client certificate missing": {query: "sslmode=verify-full&sslrootcert=" + in("ca.crt"), user: "certified", reason: result.ReasonAuthentication},
		"client certificate no file": {query: "sslmode=require&sslcert=/missing.crt&sslkey=/missing.key", user: "certified", reason: result.ReasonAuthentication},
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
	server.Promote(t)
	p.migrate(t, b, files, "2")
}
