// Package dburl reads database URLs the way the application reads them: by
// SQLAlchemy's grammar, so that one URL reaches the same database in both.
//
//	postgres://user:password@host:5432/name?sslmode=verify-full
//	postgresql+psycopg2://user@/name?host=/run/postgresql
//	sqlite:///relative.db
//	sqlite:////absolute/path.db
//
// A password may hold any character: percent-encoded always, and as it is
// except for "@", which ends it, and "%" before two hexadecimal digits. The
// database name is taken as it stands, without percent-decoding.
//
// No error and no String contains any part of a URL that might be secret, and
// a URL that cannot be parsed is not quoted at all.
package dburl

import (
	"fmt"
	"slices"
	"strings"
)

// Engine is the kind of database.
type Engine string

// The engines, by the names that bundles use.
const (
	Postgres Engine = "postgres"
	SQLite   Engine = "sqlite"
)

// Database is where a database is and how to reach it. Its String is safe to
// print; its fields are not.
type Database struct {
	Engine Engine

	// Path is the file of a SQLite database, relative to the working directory
	// unless it begins with a slash.
	Path string

	// Hosts are tried in order. A host is a name, an address without brackets,
	// or the absolute path of the directory of a unix socket.
	Hosts []Host
	// User is empty for the name of the operating system's user.
	User string
	// Password is empty when none was given.
	Password string
	// Name is the name of the database; empty means the user's name.
	Name string
	// TLS holds the connection's security.
	TLS TLS
	// ApplicationName is what sessions call themselves; empty for the default.
	ApplicationName string
	// ConnectTimeoutSeconds bounds one attempt to connect; 0 means not set.
	ConnectTimeoutSeconds int
	// TargetSessionAttrs is libpq's parameter of that name; empty means any.
	TargetSessionAttrs string
	// Options are libpq's command-line options for the server. PgBouncer
	// refuses them.
	Options string
}

// Host is one server.
type Host struct {
	Name string
	// Port is 5432 unless given.
	Port uint16
}

// TLS is how a connection is secured. Files hold PEM.
type TLS struct {
	// Mode is libpq's sslmode: disable, allow, prefer (the default, as for the
	// application), require, verify-ca or verify-full.
	Mode string
	// RootCert is the file of accepted authorities, or "system".
	RootCert string
	// Cert and Key are the files of the client's certificate.
	Cert string
	Key  string
}

// The bounds and defaults of libpq.
const (
	defaultPort = 5432
	defaultMode = "prefer"
	modeDisable = "disable"
)

var sslModes = []string{modeDisable, "allow", "prefer", "require", "verify-ca", "verify-full"}

// Error says why a URL or a field is refused. It never quotes it.
type Error struct {
	// Problem is a fixed text, except for the names of well-formed parameters.
	Problem string
}

// Error implements error.
func (e *Error) Error() string { return "database URL: " + e.Problem }

func problem(format string, args ...any) error {
	return &Error{Problem: fmt.Sprintf(format, args...)}
}

// sessionAttributes are libpq's values of target_session_attrs. lib/pq panics at
// any other.
var sessionAttributes = []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}

// String returns the database without credentials and options, for people.
func (d Database) String() string {
	if d.Engine == SQLite {
		return "sqlite:///" + d.Path
	}
	hosts := make([]string, len(d.Hosts))
	for i, h := range d.Hosts {
		name := h.Name
		if strings.Contains(name, ":") {
			name = "[" + name + "]"
		}
		hosts[i] = fmt.Sprintf("%s:%d", name, h.Port)
	}
	return "postgres://" + strings.Join(hosts, ",") + "/" + d.Name
}

// GoString keeps %#v from printing the password.
func (d Database) GoString() string { return "dburl.Database{" + d.String() + "}" }

// Fields are the discrete form of a URL, as a DatabaseSchema or environment
// variables give it. Zero values mean the defaults.
type Fields struct {
	Host     string
	Port     int
	Name     string
	User     string
	Password string
	TLS      TLS
}

// FromFields builds a PostgreSQL database from discrete fields. Nothing in
// them is decoded.
func FromFields(f Fields) (Database, error) {
	if f.Host == "" {
		return Database{}, problem("a host is needed")
	}
	port := f.Port
	if port == 0 {
		port = defaultPort
	}
	if port < 1 || port > 65535 {
		return Database{}, problem("the port must be between 1 and 65535")
	}
	host := strings.TrimSuffix(strings.TrimPrefix(f.Host, "["), "]")
	d := Database{
		Engine: Postgres, Hosts: []Host{{Name: host, Port: uint16(port)}},
		User: f.User, Password: f.Password, Name: f.Name, TLS: f.TLS,
	}
	if err := d.complete(); err != nil {
		return Database{}, err
	}
	return d, nil
}

// complete sets defaults and validates what is the same for URLs and fields.
func (d *Database) complete() error {
	if d.TLS.Mode == "" {
		d.TLS.Mode = defaultMode
		if d.TLS.RootCert == "system" {
			d.TLS.Mode = "verify-full"
		}
	}
	if err := d.TLS.validate(); err != nil {
		return err
	}
	for _, h := range d.Hosts {
		if strings.ContainsAny(h.Name, "@ \t\r\n\x00") {
			return problem("the host contains \"@\" or white space; write \"@\" in a password as %%40")
		}
	}
	if a := d.TargetSessionAttrs; a != "" && !slices.Contains(sessionAttributes, a) {
		return problem("target_session_attrs must be one of %s", strings.Join(sessionAttributes, ", "))
	}
	if sockets := d.sockets(); sockets > 0 && sockets < len(d.Hosts) && d.TLS.Mode != modeDisable {
		return problem("unix sockets and servers cannot be mixed, because sockets have no TLS; name hosts of one kind, or say sslmode=disable")
	}
	for _, s := range []string{d.User, d.Password, d.Name} {
		if strings.ContainsRune(s, 0) {
			return problem("a zero byte is not allowed")
		}
	}
	return nil
}

// sockets returns how many of the hosts are unix sockets.
func (d *Database) sockets() (n int) {
	for _, h := range d.Hosts {
		if strings.HasPrefix(h.Name, "/") {
			n++
		}
	}
	return n
}

func (t TLS) validate() error {
	if !slices.Contains(sslModes, t.Mode) {
		return problem("sslmode must be one of %s", strings.Join(sslModes, ", "))
	}
	if t.RootCert == "system" && t.Mode != "verify-full" {
		return problem("sslrootcert=system needs sslmode=verify-full")
	}
	if (t.Cert == "") != (t.Key == "") {
		return problem("sslcert and sslkey must be given together")
	}
	return nil
}
