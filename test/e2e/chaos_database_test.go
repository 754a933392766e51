package e2e_test

import (
	"context"
	"database/sql"
	"net/url"
	"os/exec"
	"time"

	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// unplug drops what pods send to the database for a while, so that nobody is told
// that there is nobody.
func (c *chaos) unplug() {
	u, err := url.Parse(c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	rule := []string{"INPUT", "-p", "tcp", "-d", u.Hostname(), "--dport", u.Port(), "-j", "DROP"}
	iptables := func(verb string) {
		command := exec.CommandContext(context.WithoutCancel(c.t.Context()), "iptables", append([]string{"-w", verb}, rule...)...)
		if output, err := command.CombinedOutput(); err != nil {
			c.t.Errorf("%v: %v\n%s", command.Args, err, output)
		}
	}
	iptables("-I")
	c.midway()
	iptables("-D")
}

// crowd takes all the connections that the server has for ordinary roles, and
// those that it keeps for others, for a while.
func (c *chaos) crowd() {
	crowd := postgres.Open(c.t, c.server.URL("postgres"))
	crowd.SetMaxOpenConns(0)
	var taken []*sql.Conn
	for {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		conn, err := crowd.Conn(ctx)
		cancel()
		if err != nil {
			break
		}
		taken = append(taken, conn)
	}
	c.midway()
	for _, conn := range taken {
		_ = conn.Close()
	}
	if err := crowd.Close(); err != nil {
		c.t.Error(err)
	}
}

// readOnly makes the server a standby for a while, which takes no writes.
func (c *chaos) readOnly() {
	c.server.Standby(c.t)
	c.midway()
	c.server.Promote(c.t)
}
