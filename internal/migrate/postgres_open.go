package migrate

import (
	"cmp"
	"context"
	"database/sql"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"sync"
	"time"

	"github.com/lib/pq"

	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// applicationName is what the names of all sessions begin with.
const applicationName = "schemagate"

// maxConnections is the migration's own connection, one that asks who blocks
// it, and one that looks for poolers.
const maxConnections = 3

// closeGrace is how long a canceled statement may take to tell so before its
// connection is cut: a network that swallows packets answers nothing at all.
const closeGrace = 5 * time.Second

// noFile cannot exist. Without a name of its own for the password file, lib/pq
// would look for a password in the home directory of whoever runs this.
var noFile = filepath.Join(os.DevNull, "none")

// openPostgres prepares connections; the first is made when it is needed. The
// environment (PGHOST and the like) is not read: the URL says it all.
func openPostgres(ctx context.Context, d dburl.Database, connectTimeout time.Duration, options engineOptions) (*postgresEngine, error) {
	config := pq.Config{
		Database: d.Name, User: d.User, Password: d.Password, Passfile: noFile, Options: d.Options,
		ApplicationName: named(d.ApplicationName),
		SSLMode:         pq.SSLMode(d.TLS.Mode), SSLRootCert: d.TLS.RootCert, SSLCert: d.TLS.Cert, SSLKey: d.TLS.Key,
		SSLSNI: true, ConnectTimeout: connectTimeout,
		ClientEncoding: "UTF8", Datestyle: "ISO, MDY",
		TargetSessionAttrs: pq.TargetSessionAttrs(d.TargetSessionAttrs),
		MinProtocolVersion: pq.ProtocolVersion30, MaxProtocolVersion: pq.ProtocolVersion30,
	}
	if config.User == "" {
		current, err := user.Current()
		if err != nil {
			return nil, usage(result.ReasonInvalidURL, "the database URL names no user, and this process has no name either")
		}
		config.User = current.Username
	}
	config.Database = cmp.Or(config.Database, config.User)
	for i, h := range d.Hosts {
		if i == 0 {
			config.Host, config.Port = h.Name, h.Port
			continue
		}
		config.Multi = append(config.Multi, pq.ConfigMultihost{Host: h.Name, Port: h.Port})
	}
	if config.Host != "" && config.Host[0] == '/' {
		config.SSLMode = pq.SSLModeDisable // no TLS on unix sockets, as in libpq
	}
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, usage(result.ReasonInvalidURL, "the connection's parameters do not fit together")
	}
	lifetime, cancel := context.WithCancel(ctx)
	connector.Dialer(cuttingDialer{done: lifetime.Done()})
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConnections)
	return &postgresEngine{db: db, options: options, cleanup: cancel}, nil
}

// cuttingDialer makes connections that end some seconds after done is closed.
// lib/pq asks the server to cancel and then waits for the answer without a
// limit.
type cuttingDialer struct{ done <-chan struct{} }

func (d cuttingDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d cuttingDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d cuttingDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &cutConn{Conn: conn, closed: make(chan struct{})}
	go c.cutAfter(d.done)
	return c, nil
}

type cutConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *cutConn) cutAfter(done <-chan struct{}) {
	select {
	case <-done:
		// The error is of no use to anyone: the connection is being given up.
		_ = c.SetDeadline(time.Now().Add(closeGrace))
	case <-c.closed:
	}
}

func (c *cutConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
