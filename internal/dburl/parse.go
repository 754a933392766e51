package dburl

import (
	"cmp"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// drivers are what SQLAlchemy accepts after "postgresql+". The driver is the
// application's business and ignored here.
var drivers = []string{"psycopg2", "psycopg", "psycopg2cffi", "asyncpg", "psycopg_async", "pg8000"}

// sqliteDrivers are the same for "sqlite+".
var sqliteDrivers = []string{"pysqlite", "aiosqlite"}

// Parse reads a database URL. The error, if any, is an *Error and quotes
// nothing of it.
func Parse(raw string) (Database, error) { return ParseWithFiles(raw, TLS{}) }

// ParseWithFiles is Parse for where the files of certificates lie elsewhere than
// the URL says: those given take the place of its own, and count like them. The
// mode remains the URL's.
func ParseWithFiles(raw string, files TLS) (Database, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(raw), "://")
	if !ok {
		return Database{}, problem("it has no scheme; write postgres:// or sqlite:///")
	}
	base, driver, hasDriver := strings.Cut(strings.ToLower(scheme), "+")
	switch base {
	case "postgres", "postgresql":
		if hasDriver && !slices.Contains(drivers, driver) {
			return Database{}, problem("the driver after postgresql+ is not one of %s", strings.Join(drivers, ", "))
		}
		return parsePostgres(rest, files)
	case "sqlite":
		if hasDriver && !slices.Contains(sqliteDrivers, driver) {
			return Database{}, problem("the driver after sqlite+ is not one of %s", strings.Join(sqliteDrivers, ", "))
		}
		return parseSQLite(rest)
	case "sqlite+sqlcipher", "sqlcipher":
		return Database{}, problem("encrypted SQLite files are not supported")
	}
	return Database{}, problem("the scheme is not postgres, postgresql or sqlite")
}

// parseSQLite reads what follows "sqlite://". The first slash only ends the
// empty host.
func parseSQLite(rest string) (Database, error) {
	path, query, hasQuery := strings.Cut(rest, "?")
	if hasQuery && query != "" {
		return Database{}, problem("parameters are not supported for SQLite")
	}
	path, ok := strings.CutPrefix(path, "/")
	if !ok {
		return Database{}, problem("a SQLite URL has three slashes before a relative path and four before an absolute one")
	}
	switch {
	case path == "" || path == ":memory:" || strings.HasPrefix(path, "file:"):
		return Database{}, problem("a SQLite URL must name a file")
	case strings.ContainsRune(path, 0):
		return Database{}, problem("a zero byte is not allowed")
	}
	return Database{Engine: SQLite, Path: filepath.Clean(path)}, nil
}

// authority is SQLAlchemy's pattern for what stands before the path. The host
// is greedy enough to swallow a stray "@", which complete refuses.
var authority = regexp.MustCompile(`(?s)^(?:([^:/]*)(?::([^@]*))?@)?(?:(?:\[([^\]/?]+)\]|([^/:?]+))?(?::([^/?]*))?)?(?:/([^?]*))?(?:\?(.*))?$`)

func parsePostgres(rest string, files TLS) (Database, error) {
	m := authority.FindStringSubmatch(rest)
	if m == nil {
		return Database{}, problem("it cannot be parsed; special characters of a password must be percent-encoded")
	}
	if strings.Contains(m[6], "@") {
		// It is what follows a slash in a password, which would be printed as a name.
		return Database{}, problem("there is a \"@\" after the host; write \"@\" in a password as %%40 and \"/\" as %%2F")
	}
	d := Database{Engine: Postgres, User: decode(m[1]), Password: decode(m[2]), Name: m[6]}
	port, err := parsePort(m[5], defaultPort)
	if err != nil {
		return Database{}, err
	}
	host := m[3] + m[4]
	if strings.HasPrefix(strings.ToUpper(host), "%2F") {
		host = decode(host) // libpq's way to write a socket directory
	}
	query, err := url.ParseQuery(strings.ReplaceAll(m[7], ";", "%3B"))
	if err != nil {
		return Database{}, problem("its parameters cannot be parsed")
	}
	if err := d.setParameters(query); err != nil {
		return Database{}, err
	}
	if err := d.setHosts(host, port, query); err != nil {
		return Database{}, err
	}
	d.TLS.RootCert = cmp.Or(files.RootCert, d.TLS.RootCert)
	d.TLS.Cert, d.TLS.Key = cmp.Or(files.Cert, d.TLS.Cert), cmp.Or(files.Key, d.TLS.Key)
	if err := d.complete(); err != nil {
		return Database{}, err
	}
	return d, nil
}

// decode undoes percent-encoding and leaves what is none, as Python does.
func decode(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func parsePort(s string, missing uint16) (uint16, error) {
	if s == "" {
		return missing, nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, problem("the port must be between 1 and 65535")
	}
	return uint16(n), nil
}

// setHosts takes the hosts of the authority, which have one port, or those of the
// parameters: host may be repeated, hold a comma-separated list, and carry ports
// of its own.
func (d *Database) setHosts(host string, port uint16, query url.Values) error {
	names := split(query["host"])
	if len(names) == 0 {
		names = strings.Split(cmp.Or(host, "localhost"), ",")
	}
	ports := split(query["port"])
	if len(ports) > 1 && len(ports) != len(names) {
		return problem("there must be one port, or one for each host")
	}
	for i, name := range names {
		h, err := hostAndPort(name, port)
		if err != nil {
			return err
		}
		if len(ports) > 0 {
			if h.Port, err = parsePort(ports[min(i, len(ports)-1)], port); err != nil {
				return err
			}
		}
		d.Hosts = append(d.Hosts, h)
	}
	return nil
}

func split(values []string) []string {
	var out []string
	for _, v := range values {
		if v != "" {
			out = append(out, strings.Split(v, ",")...)
		}
	}
	return out
}

// hostAndPort reads one host of a list: a path, a name, an address, each with
// an optional port except the path.
func hostAndPort(s string, port uint16) (Host, error) {
	if strings.HasPrefix(s, "/") {
		return Host{Name: s, Port: port}, nil
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		name, after, closed := strings.Cut(rest, "]")
		if !closed {
			return Host{}, problem("the bracket of an IPv6 address does not close")
		}
		p, err := parsePort(strings.TrimPrefix(after, ":"), port)
		return Host{Name: name, Port: p}, err
	}
	if strings.Count(s, ":") == 1 {
		name, own, _ := strings.Cut(s, ":")
		p, err := parsePort(own, port)
		return Host{Name: name, Port: p}, err
	}
	return Host{Name: s, Port: port}, nil
}
