package e2e_test

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// secretWord is in every password of TestConnections, and must be nowhere else.
const secretWord = "Kennwort4711"

// oddPassword has every printable character of ASCII, and some others.
func oddPassword() string {
	var all strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		all.WriteByte(c)
	}
	return all.String() + "øß\u4e2d" + secretWord
}

// link is a database on a server that takes nothing but TLS, with a role of its own,
// and a namespace in which a schema is to find it.
type link struct {
	*world
	authority *postgres.Authority
	host      string
	port      int32
	name      string
	role      string
}

// newLink creates all but the schema. The password is in the Secret "db", as it is and
// in a URL, and the authority in the Secret and the ConfigMap "ca".
func newLink(t *testing.T, server *postgres.Server, authority *postgres.Authority, role, password string) *link {
	t.Helper()
	host := os.Getenv(hostAddressEnv)
	l := &link{
		world:     &world{t: t, namespace: newNamespace(t), server: server, password: password},
		authority: authority, host: host, port: int32(server.Port()), role: role, //nolint:gosec // a port
	}
	local, err := url.Parse(server.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	l.name = strings.TrimPrefix(local.Path, "/")
	socket := url.Values{"host": {server.SocketDir()}, "port": {strconv.Itoa(server.Port())}, "user": {"postgres"}, "sslmode": {"disable"}}
	l.db = postgres.Open(t, "postgres:///"+l.name+"?"+socket.Encode())
	l.db.SetMaxIdleConns(0) // A session that stays would keep fencing revisions away.
	l.exec("CREATE ROLE " + role + " LOGIN")
	l.exec("ALTER DATABASE " + l.name + " OWNER TO " + role)
	l.setPassword(password)
	t.Cleanup(func() { searchSecret(t, l.namespace, secretWord) })

	u := url.URL{Scheme: "postgresql", User: url.UserPassword(role, password), Host: fmt.Sprintf("%s:%d", host, l.port), Path: "/" + l.name}
	l.url = u.String()
	l.keys("db", map[string]string{"url": l.url, "user": role, "password": password})
	l.keys("ca", map[string]string{"ca.crt": string(authority.PEM)})
	create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: "ca"}, Data: map[string]string{"ca.crt": string(authority.PEM)}})
	return l
}

// setPassword changes the password on the server, and nowhere else.
func (l *link) setPassword(password string) {
	l.t.Helper()
	l.exec("ALTER ROLE " + l.role + " PASSWORD '" + strings.ReplaceAll(password, "'", "''") + "' VALID UNTIL 'infinity'")
}

// keys sets the content of a Secret.
func (l *link) keys(name string, content map[string]string) {
	l.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: name}}
	if err := client.IgnoreNotFound(admin.Delete(l.t.Context(), secret)); err != nil {
		l.t.Fatal(err)
	}
	create(l.t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: name}, StringData: content})
}

func key(name, key string) v1alpha1.ValueSource {
	return v1alpha1.ValueSource{SecretKeyRef: v1alpha1.KeySelector{Name: v1alpha1.ObjectName(name), Key: key}}
}

// fields is the database in fields of their own.
func (l *link) fields() v1alpha1.Database {
	return v1alpha1.Database{
		Host: l.host, Port: l.port, Name: l.name, UserFrom: key("db", "user"), PasswordFrom: key("db", "password"),
	}
}

// migrate creates a schema that asks for a release, without any pods.
func (l *link) migrate(d v1alpha1.Database) {
	l.t.Helper()
	schema := l.newSchema()
	schema.Spec.Database = d
	schema.Spec.Target = v1alpha1.Target{Type: v1alpha1.TargetAppVersion, AppVersion: newRelease}
	create(l.t, schema)
}

var (
	caOfConfigMap = v1alpha1.CertificateSource{ConfigMapKeyRef: v1alpha1.KeySelector{Name: "ca", Key: "ca.crt"}}
	caOfSecret    = v1alpha1.CertificateSource{SecretKeyRef: v1alpha1.KeySelector{Name: "ca", Key: "ca.crt"}}
)

// TestConnections: databases are reached in all the ways that people have, by pods.
func TestConnections(t *testing.T) {
	t.Parallel()
	host := os.Getenv(hostAddressEnv)
	server := postgres.Start(t, postgres.ListenOn(host))
	authority := postgres.NewAuthority(t)
	server.ServeTLS(t, authority, host)

	certificate := func(l *link) v1alpha1.TLS {
		l.exec("GRANT " + postgres.Certified + " TO " + l.role)
		cert, private := authority.Client(t, l.role)
		l.keys("client", map[string]string{"tls.crt": string(cert), "tls.key": string(private)})
		return v1alpha1.TLS{
			CAFrom:   caOfSecret,
			CertFrom: v1alpha1.CertificateSource{SecretKeyRef: key("client", "tls.crt").SecretKeyRef}, KeyFrom: key("client", "tls.key"),
		}
	}
	for name, database := range map[string]func(*link) v1alpha1.Database{
		"fields": (*link).fields, // sslMode require, and a password of all characters
		"url":    func(*link) v1alpha1.Database { return v1alpha1.Database{URLFrom: key("db", "url")} },
		"fields, verify-full by a ConfigMap": func(l *link) v1alpha1.Database {
			d := l.fields()
			d.SSLMode, d.TLS.CAFrom = v1alpha1.SSLModeVerifyFull, caOfConfigMap
			return d
		},
		"url, verify-ca by a Secret": func(l *link) v1alpha1.Database {
			l.keys("db", map[string]string{"url": l.url + "?sslmode=verify-ca"})
			return v1alpha1.Database{URLFrom: key("db", "url"), TLS: v1alpha1.TLS{CAFrom: caOfSecret}}
		},
		"fields, client certificate": func(l *link) v1alpha1.Database {
			d := l.fields()
			d.SSLMode, d.PasswordFrom, d.TLS = v1alpha1.SSLModeVerifyFull, v1alpha1.ValueSource{}, certificate(l)
			return d
		},
		"url, client certificate": func(l *link) v1alpha1.Database {
			l.keys("db", map[string]string{"url": fmt.Sprintf("postgresql://%s@%s:%d/%s?sslmode=verify-full", l.role, l.host, l.port, l.name)})
			return v1alpha1.Database{URLFrom: key("db", "url"), TLS: certificate(l)}
		},
		"a schema of one's own": func(l *link) v1alpha1.Database {
			l.exec("CREATE SCHEMA webui AUTHORIZATION " + l.role)
			d := l.fields()
			d.Schema = "webui"
			return d
		},
	} {
		role := "role_" + strconv.Itoa(len(name)) + strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, server, authority, role, oddPassword())
			d := database(l)
			l.migrate(d)
			l.awaitApplied(needs[newRelease])
			in := "public"
			if d.Schema != "" {
				in = d.Schema
			}
			if there := l.value("SELECT string_agg(schemaname, ',') FROM pg_tables WHERE tablename IN ('chat', 'alembic_version', 'schema_migrations')"); there != in+","+in+","+in {
				t.Errorf("the tables are in %s, want %s", there, in)
			}
		})
	}
	t.Run("another authority", func(t *testing.T) {
		t.Parallel()
		l := newLink(t, server, authority, "stranger", oddPassword())
		l.keys("ca", map[string]string{"ca.crt": string(postgres.NewAuthority(t).PEM)})
		d := l.fields()
		d.SSLMode, d.TLS.CAFrom = v1alpha1.SSLModeVerifyFull, caOfSecret
		l.migrate(d)
		l.awaitReason(metav1.ConditionFalse, "Authentication")
		l.keys("ca", map[string]string{"ca.crt": string(authority.PEM)})
		l.awaitApplied(needs[newRelease])
	})
	t.Run("token", func(t *testing.T) {
		t.Parallel()
		testToken(t, newLink(t, server, authority, "token", "first "+secretWord))
	})
}

// testToken: a password that has expired, as the tokens of cloud providers do after
// minutes, keeps a migration waiting only until somebody has put a new one into the
// Secret. What ran before does not matter: each Job reads the Secret.
func testToken(t *testing.T, l *link) {
	t.Helper()
	l.migrate(l.fields())
	l.awaitApplied(needs[newRelease])

	l.exec("ALTER ROLE token VALID UNTIL '" + time.Now().Add(-time.Minute).UTC().Format(time.RFC3339) + "'")
	l.patchSchema(`{"spec": {"target": {"appVersion": %q}}}`, fencingRelease)
	failed := l.awaitReason(metav1.ConditionFalse, "Authentication")
	if text := describe(failed); !strings.Contains(text, "Secret") && !strings.Contains(text, "password") {
		t.Errorf("the status tells no remedy: %s", text)
	}
	l.setPassword("second " + secretWord)
	l.keys("db", map[string]string{"user": l.role, "password": "second " + secretWord})
	l.awaitApplied(needs[fencingRelease])
}

// TestConnectionThroughProxy: something that signs in by itself, as the proxies of
// cloud providers do, is reached by a Service, without a password.
func TestConnectionThroughProxy(t *testing.T) {
	t.Parallel()
	host := os.Getenv(hostAddressEnv)
	w := newWorld(t)
	port := int32(postgres.StartProxy(t, w.server, host).Port()) //nolint:gosec // a port
	create(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "proxy"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "postgresql", Port: 5432}}},
	})
	create(t, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: w.namespace, Name: "proxy", Labels: map[string]string{discoveryv1.LabelServiceName: "proxy"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{host}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("postgresql"), Port: &port}},
	})
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Host = url.User("anybody"), "proxy:5432"
	w.secret(map[string]string{"DATABASE_URL": u.String()})
	create(t, w.newSchema())
	create(t, w.newDeployment(newRelease, 1))
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
}
