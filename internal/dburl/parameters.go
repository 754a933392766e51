package dburl

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
)

// refused are parameters that change where a connection goes or how safe it
// is, and that are not supported, each with the reason.
var refused = map[string]string{
	"service":      "service files are not read: they would name another server than the URL shows; write the connection out",
	"servicefile":  "service files are not read: they would name another server than the URL shows; write the connection out",
	"passfile":     "password files are not read; put the password into the URL or its own field",
	"sslcrl":       "certificate revocation lists are not supported",
	"sslcrldir":    "certificate revocation lists are not supported",
	"sslpassword":  "encrypted client keys are not supported",
	"requirepeer":  "checking the owner of a socket is not supported",
	"require_auth": "choosing authentication methods is not supported",
	"sslinline":    "certificates inside a URL are not supported; name files",
	"hostaddr":     "it is not supported; write the address as the host",
	"replication":  "replication connections cannot migrate",
	"krbsrvname":   "Kerberos is not supported",
}

// ignored are parameters of other clients that do not change what a migration
// sees or how safe its connection is.
var ignored = []string{
	"async_fallback", "client_encoding", "fallback_application_name", "gssdelegation", "gssencmode",
	"gsslib", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval",
	"load_balance_hosts", "pgbouncer", "prepared_statement_cache_size", "sslcompression", "sslsni",
	"tcp_user_timeout",
}

// printable says that a parameter's name may be quoted in an error: a piece of
// a misread password does not look like this.
var printable = regexp.MustCompile(`^[a-z_]{1,32}$`)

// setParameters reads the parameters after the question mark. Hosts and ports
// are read elsewhere.
func (d *Database) setParameters(query url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		if err := d.setParameter(name, values[len(values)-1]); err != nil {
			return err
		}
	}
	return d.setSSL(query)
}

// setSSL reads ssl, which the application takes for sslmode.
func (d *Database) setSSL(query url.Values) error {
	switch ssl := query.Get("ssl"); {
	case ssl == "" || ssl == d.TLS.Mode:
	case d.TLS.Mode != "":
		return problem("ssl and sslmode differ; keep one of them")
	default:
		d.TLS.Mode = ssl
	}
	return nil
}

func (d *Database) setParameter(name, value string) error {
	if reason := refused[name]; reason != "" {
		return problem("parameter %s: %s", name, reason)
	}
	switch name {
	case "host", "port", "ssl":
		return nil
	case "channel_binding":
		if value == "require" {
			return problem("parameter channel_binding: require is not supported; use sslmode=verify-full")
		}
		return nil
	case "connect_timeout":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return problem("connect_timeout must be a number of seconds")
		}
		d.ConnectTimeoutSeconds = int(n)
		return nil
	}
	if into := d.text(name); into != nil {
		*into = value
		return nil
	}
	if slices.Contains(ignored, name) {
		return nil
	}
	if printable.MatchString(name) {
		return problem("parameter %s is not supported", name)
	}
	return problem("a parameter is not supported")
}

// text returns where a parameter that is plain text goes, or nil.
func (d *Database) text(name string) *string {
	switch name {
	case "sslmode":
		return &d.TLS.Mode
	case "sslrootcert":
		return &d.TLS.RootCert
	case "sslcert":
		return &d.TLS.Cert
	case "sslkey":
		return &d.TLS.Key
	case "application_name":
		return &d.ApplicationName
	case "target_session_attrs":
		return &d.TargetSessionAttrs
	case "options":
		return &d.Options
	case "user":
		return &d.User
	case "password":
		return &d.Password
	case "dbname":
		return &d.Name
	}
	return nil
}
