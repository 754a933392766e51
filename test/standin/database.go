package main

import (
	"cmp"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/schemagate/schemagate/internal/dburl"
)

// The settings of the connections that a URL has no say in.
const (
	applicationName = "open-webui"
	connectTimeout  = 5 * time.Second
	maxConnections  = 5
)

// noFile cannot exist. Without a name of its own, lib/pq would look for a
// password in the home directory.
var noFile = filepath.Join(os.DevNull, "none")

// open prepares connections to a database; the first is made when it is needed.
func open(d dburl.Database) (*sql.DB, error) {
	if d.Engine == dburl.SQLite {
		return openSQLite(d.Path)
	}
	config := pq.Config{
		Database: cmp.Or(d.Name, d.User), User: d.User, Password: d.Password, Passfile: noFile, Options: d.Options,
		ApplicationName: cmp.Or(d.ApplicationName, applicationName),
		SSLMode:         pq.SSLMode(d.TLS.Mode), SSLRootCert: d.TLS.RootCert, SSLCert: d.TLS.Cert, SSLKey: d.TLS.Key,
		SSLSNI: true, ConnectTimeout: connectTimeout,
		ClientEncoding: "UTF8", Datestyle: "ISO, MDY",
		TargetSessionAttrs: pq.TargetSessionAttrs(d.TargetSessionAttrs),
		MinProtocolVersion: pq.ProtocolVersion30, MaxProtocolVersion: pq.ProtocolVersion30,
	}
	for i, host := range d.Hosts {
		if i == 0 {
			config.Host, config.Port = host.Name, host.Port
			continue
		}
		config.Multi = append(config.Multi, pq.ConfigMultihost{Host: host.Name, Port: host.Port})
	}
	if config.User == "" {
		return nil, errors.New("DATABASE_URL names no user")
	}
	if filepath.IsAbs(config.Host) {
		config.SSLMode = pq.SSLModeDisable // no TLS on unix sockets
	}
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, errors.New("the parameters of DATABASE_URL do not fit together") // err may quote them
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConnections)
	return db, nil
}

// openSQLite does not create a file that is not there.
func openSQLite(path string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	connector, err := sqlite.NewConnector(name.String() + "?mode=rw&_busy_timeout=1000")
	if err != nil {
		return nil, errors.New("the path in DATABASE_URL cannot be used")
	}
	return sql.OpenDB(connector), nil
}
