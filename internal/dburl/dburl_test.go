package dburl

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	pg := func(change func(*Database)) Database {
		d := Database{Engine: Postgres, Hosts: []Host{{"db", 5432}}, User: "u", Password: "p", Name: "webui", TLS: TLS{Mode: "prefer"}}
		if change != nil {
			change(&d)
		}
		return d
	}
	tests := map[string]struct {
		url  string
		want Database
	}{
		"postgres":       {"postgres://u:p@db/webui", pg(nil)},
		"postgresql":     {"postgresql://u:p@db:5432/webui", pg(nil)},
		"psycopg2":       {"postgresql+psycopg2://u:p@db/webui", pg(nil)},
		"asyncpg":        {"postgresql+asyncpg://u:p@db/webui", pg(nil)},
		"capitals":       {"PostgreSQL+Psycopg2://u:p@db/webui", pg(nil)},
		"white space":    {" postgres://u:p@db/webui\n", pg(nil)},
		"port":           {"postgres://u:p@db:6543/webui", pg(func(d *Database) { d.Hosts[0].Port = 6543 })},
		"no password":    {"postgres://u@db/webui", pg(func(d *Database) { d.Password = "" })},
		"no user":        {"postgres://db/webui", pg(func(d *Database) { d.User, d.Password = "", "" })},
		"no name":        {"postgres://u:p@db", pg(func(d *Database) { d.Name = "" })},
		"raw password":   {"postgres://u:a:b/c?d#e[f]%g&h=i\\j @db/webui", pg(func(d *Database) { d.Password = "a:b/c?d#e[f]%g&h=i\\j " })},
		"plus sign":      {"postgres://u:a+b%2B@db/webui", pg(func(d *Database) { d.Password = "a+b+" })},
		"encoded user":   {"postgres://u%40corp:p@db/webui", pg(func(d *Database) { d.User = "u@corp" })},
		"raw name":       {"postgres://u:p@db/my%20 webui", pg(func(d *Database) { d.Name = "my%20 webui" })},
		"IPv6":           {"postgres://u:p@[2001:db8::1]:6543/webui", pg(func(d *Database) { d.Hosts = []Host{{"2001:db8::1", 6543}} })},
		"IPv6 as host":   {"postgres://u:p@/webui?host=[::1]:6543", pg(func(d *Database) { d.Hosts = []Host{{"::1", 6543}} })},
		"socket":         {"postgres://u:p@/webui?host=/run/postgresql", pg(func(d *Database) { d.Hosts[0].Name = "/run/postgresql" })},
		"encoded socket": {"postgres://u:p@%2Frun%2Fpostgresql/webui", pg(func(d *Database) { d.Hosts[0].Name = "/run/postgresql" })},
		"localhost":      {"postgres:///webui?user=u&password=p%26", pg(func(d *Database) { d.Hosts[0].Name, d.Password = "localhost", "p&" })},
		"hosts":          {"postgres://u:p@/webui?host=a:1&host=b:2", pg(func(d *Database) { d.Hosts = []Host{{"a", 1}, {"b", 2}} })},
		"hosts and ports": {"postgres://u:p@/webui?host=a,b&port=1,2&target_session_attrs=read-write", pg(func(d *Database) {
			d.Hosts, d.TargetSessionAttrs = []Host{{"a", 1}, {"b", 2}}, "read-write"
		})},
		"hosts and one port": {"postgres://u:p@/webui?host=a,b&port=7", pg(func(d *Database) { d.Hosts = []Host{{"a", 7}, {"b", 7}} })},
		"TLS": {"postgres://u:p@db/webui?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem", pg(func(d *Database) {
			d.TLS = TLS{Mode: "verify-full", RootCert: "/ca.pem", Cert: "/c.pem", Key: "/k.pem"}
		})},
		"ssl":                    {"postgres://u:p@db/webui?ssl=require", pg(func(d *Database) { d.TLS.Mode = "require" })},
		"ssl and sslmode agree":  {"postgres://u:p@db/webui?ssl=disable&sslmode=disable", pg(func(d *Database) { d.TLS.Mode = "disable" })},
		"hosts of the authority": {"postgresql://u:p@a,b:7/webui", pg(func(d *Database) { d.Hosts = []Host{{"a", 7}, {"b", 7}} })},
		"hosts without a port":   {"postgresql://u:p@a,b/webui", pg(func(d *Database) { d.Hosts = []Host{{"a", 5432}, {"b", 5432}} })},
		"sockets": {"postgres://u:p@/webui?host=/a,/b&sslmode=require", pg(func(d *Database) {
			d.Hosts, d.TLS.Mode = []Host{{"/a", 5432}, {"/b", 5432}}, "require"
		})},
		"a socket and a server, plain": {"postgres://u:p@/webui?host=/a,b&sslmode=disable", pg(func(d *Database) {
			d.Hosts, d.TLS.Mode = []Host{{"/a", 5432}, {"b", 5432}}, "disable"
		})},
		"at sign in a parameter": {"postgres://u:p@db?dbname=a@b", pg(func(d *Database) { d.Name = "a@b" })},
		"system authorities":     {"postgres://u:p@db/webui?sslrootcert=system", pg(func(d *Database) { d.TLS = TLS{Mode: "verify-full", RootCert: "system"} })},
		"other parameters": {
			"postgres://u:p@db/webui?connect_timeout=7&application_name=a&options=-c%20x%3D1&keepalives=1&channel_binding=prefer",
			pg(func(d *Database) { d.ConnectTimeoutSeconds, d.ApplicationName, d.Options = 7, "a", "-c x=1" }),
		},
		"SQLite relative":     {"sqlite:///webui.db", Database{Engine: SQLite, Path: "webui.db"}},
		"SQLite absolute":     {"sqlite:////data/webui.db", Database{Engine: SQLite, Path: "/data/webui.db"}},
		"SQLite driver":       {"sqlite+pysqlite:////data/webui.db", Database{Engine: SQLite, Path: "/data/webui.db"}},
		"SQLite odd name":     {"sqlite:///a b%20#c.db", Database{Engine: SQLite, Path: "a b%20#c.db"}},
		"SQLite above itself": {"sqlite:///../webui.db", Database{Engine: SQLite, Path: "../webui.db"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fields(tt.want), fields(got)); diff != "" {
				t.Errorf("Parse() (-want +got):\n%s", diff)
			}
		})
	}
}

// fields shows a database to cmp as it is, past its String.
func fields(d Database) any {
	type plain Database
	return plain(d)
}

const canary = "canary-1b9e"

func TestParseErrorsTellNothing(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"no scheme":          "u:" + canary + "@db/webui",
		"unknown scheme":     canary + "://u:p@db",
		"unknown driver":     "postgresql+" + canary + "://u:p@db",
		"raw at sign":        "postgres://u:p@" + canary + "@db/webui",
		"port of letters":    "postgres://u:p@db:" + canary + "/webui",
		"port zero":          "postgres://u:" + canary + "@db:0/webui",
		"port too large":     "postgres://u:" + canary + "@db:65536/webui",
		"two ports":          "postgres://u:" + canary + "@/webui?host=a&port=1,2",
		"service file":       "postgres://u:" + canary + "@db/webui?service=" + canary,
		"password file":      "postgres://u@db/webui?passfile=" + canary,
		"unknown parameter":  "postgres://u:" + canary + "@db/webui?x=" + canary,
		"odd parameter":      "postgres://u:p@db/webui?" + canary + "=1",
		"bad encoding":       "postgres://u:p@db/webui?x=%zz" + canary,
		"bad sslmode":        "postgres://u:p@db/webui?sslmode=" + canary,
		"weak system":        "postgres://u:" + canary + "@db/webui?sslmode=require&sslrootcert=system",
		"certificate no key": "postgres://u:p@db/webui?sslcert=" + canary,
		"channel binding":    "postgres://u:" + canary + "@db/webui?channel_binding=require",
		"at sign, slash":     "postgres://u:p@ss/" + canary + "@db/webui",
		"bad ssl":            "postgres://u:p@db/webui?ssl=" + canary,
		"ssl and sslmode":    "postgres://u:" + canary + "@db/webui?ssl=require&sslmode=disable",
		"session attributes": "postgres://u:p@db/webui?target_session_attrs=" + canary,
		"socket and server":  "postgres://u:" + canary + "@/webui?host=/a,b&sslmode=verify-full",
		"server and socket":  "postgres://u:" + canary + "@/webui?host=a,/b",
		"bad timeout":        "postgres://u:p@db/webui?connect_timeout=" + canary,
		"zero byte":          "postgres://u:" + canary + "%00@db/webui",
		"open bracket":       "postgres://u:" + canary + "@/webui?host=[::1",
		"SQLite two slashes": "sqlite://" + canary,
		"SQLite parameters":  "sqlite:///webui.db?key=" + canary,
		"SQLite memory":      "sqlite:///:memory:",
		"SQLite nothing":     "sqlite:///",
		"SQLite cipher":      "sqlite+sqlcipher:///" + canary,
		"MySQL":              "mysql://u:" + canary + "@db/webui",
		"nothing":            "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse(raw)
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("Parse() = %s, %v, want an *Error", d, err)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error quotes the URL: %v", err)
			}
		})
	}
}

func TestServiceFilesAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	_, err := Parse("postgres://db/webui?service=x")
	if err == nil || !strings.Contains(err.Error(), "service files are not read") {
		t.Errorf("Parse() = %v", err)
	}
}

// TestSessionAttributes: what libpq knows is taken, and an error names the rest.
func TestSessionAttributes(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"} {
		if d, err := Parse("postgres://db/webui?target_session_attrs=" + value); err != nil || d.TargetSessionAttrs != value {
			t.Errorf("%s became %q: %v", value, d.TargetSessionAttrs, err)
		}
	}
	_, err := Parse("postgres://db/webui?target_session_attrs=master")
	if err == nil || !strings.Contains(err.Error(), "target_session_attrs must be one of any, read-write") {
		t.Errorf("Parse() = %v", err)
	}
}

// TestParseWithFiles: files from elsewhere count as the URL's own do.
func TestParseWithFiles(t *testing.T) {
	t.Parallel()
	own := TLS{RootCert: "/ca", Cert: "/c", Key: "/k"}
	for name, tt := range map[string]struct {
		query string
		files TLS
		want  TLS // zero: refused
	}{
		"none":                     {"", TLS{}, TLS{Mode: "prefer"}},
		"those of the URL":         {"?sslrootcert=/ca&sslcert=/c&sslkey=/k", TLS{}, TLS{Mode: "prefer", RootCert: "/ca", Cert: "/c", Key: "/k"}},
		"others":                   {"?sslmode=require&sslrootcert=/x&sslcert=/x&sslkey=/x", own, TLS{Mode: "require", RootCert: "/ca", Cert: "/c", Key: "/k"}},
		"the system's":             {"", TLS{RootCert: "system"}, TLS{Mode: "verify-full", RootCert: "system"}},
		"the system's, but weak":   {"?sslmode=require", TLS{RootCert: "system"}, TLS{}},
		"a certificate, no key":    {"", TLS{Cert: "/c"}, TLS{}},
		"a key of the URL's":       {"?sslcert=/x&sslkey=/k", TLS{Cert: "/c"}, TLS{Mode: "prefer", Cert: "/c", Key: "/k"}},
		"a mode, which is no file": {"", TLS{Mode: "disable"}, TLS{Mode: "prefer"}},
	} {
		d, err := ParseWithFiles("postgres://db/webui"+tt.query, tt.files)
		if (err != nil) != (tt.want == TLS{}) || d.TLS != tt.want {
			t.Errorf("%s: %+v, %v", name, d.TLS, err)
		}
	}
}

func TestStringHidesCredentials(t *testing.T) {
	t.Parallel()
	d, err := Parse("postgres://user-" + canary + ":" + canary + "@[::1]:1/webui?options=" + canary + "&sslkey=/a&sslcert=/b")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{d.String(), fmt.Sprint(d), fmt.Sprintf("%v %+v %#v %s %q", d, d, d, d, d)} {
		if strings.Contains(text, canary) {
			t.Errorf("it prints %s", text)
		}
	}
	if d.String() != "postgres://[::1]:1/webui" {
		t.Errorf("String() = %s", d)
	}
}

func TestFromFields(t *testing.T) {
	t.Parallel()
	const odd = "a@b%40/:?#"
	got, err := FromFields(Fields{Host: "[::1]", Name: "webui", User: "u", Password: odd})
	want := Database{Engine: Postgres, Hosts: []Host{{"::1", 5432}}, User: "u", Password: odd, Name: "webui", TLS: TLS{Mode: "prefer"}}
	if diff := cmp.Diff(fields(want), fields(got)); err != nil || diff != "" {
		t.Errorf("FromFields(): %v (-want +got):\n%s", err, diff)
	}
	for name, f := range map[string]Fields{
		"no host": {}, "bad port": {Host: "db", Port: 70000}, "negative port": {Host: "db", Port: -1},
		"bad mode": {Host: "db", TLS: TLS{Mode: "x"}}, "host with credentials": {Host: "u:p@db"},
	} {
		if _, err := FromFields(f); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzPassword: any password survives being encoded into a URL.
func FuzzPassword(f *testing.F) {
	for _, s := range []string{"p", "a@b:c/d?e#f%g", "ø æ\n\t", "%41", "''\\\"", "+ &=;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, password string) {
		encoded := strings.ReplaceAll(url.QueryEscape(password), "+", "%20")
		d, err := Parse("postgresql://u:" + encoded + "@db/webui")
		if strings.ContainsRune(password, 0) {
			return
		}
		if err != nil || d.Password != password || d.Hosts[0].Name != "db" {
			t.Errorf("%q came out as %q at %s: %v", password, d.Password, d, err)
		}
	})
}
