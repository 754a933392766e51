package e2e_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"strings"
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
	nft := func(lines ...string) {
		command := exec.CommandContext(context.WithoutCancel(c.t.Context()), "nft", "-f", "-")
		command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		if output, err := command.CombinedOutput(); err != nil {
			c.t.Errorf("nft: %v\n%s", err, output)
		}
	}
	table := chaosTable + u.Port()
	nft(
		"table inet "+table+" {",
		"chain input { type filter hook input priority 0;",
		"ip daddr "+u.Hostname()+" tcp dport "+u.Port()+" drop", "}", "}",
	)
	c.t.Cleanup(func() { nft("table inet "+table, "delete table inet "+table) })
	c.midway()
	nft("delete table inet " + table)
}

// chaosTable is the packet filter's, of its own, so that nobody else's rules are
// touched; the server's port completes the name.
const chaosTable = "schemagate_chaos_"

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

// fill leaves the server no room on its disk for a while.
func (c *chaos) fill() {
	c.server.FillDisk(c.t)
	c.midway()
	c.wait(5 * time.Second)
	c.server.FreeDisk(c.t)
}

// readOnly makes the server a standby for a while, which takes no writes.
func (c *chaos) readOnly() {
	c.server.Standby(c.t)
	c.midway()
	c.server.Promote(c.t)
}

// pooled puts PgBouncer between, has it crash in the middle of a migration, and
// takes it away again. Pods that were started with it keep their connections
// through it.
func (c *chaos) pooled(mode postgres.PoolMode) {
	host := os.Getenv(hostAddressEnv)
	bouncer := postgres.StartPgBouncer(c.t, c.server, mode, host)
	c.secret(map[string]string{"DATABASE_URL": at(c.t, bouncer.URL(c.t, c.url), host)})
	c.midway()
	bouncer.Kill(c.t)
	c.wait(time.Duration(c.rng.IntN(3000)) * time.Millisecond)
	bouncer.Restart(c.t)
	c.settled("with PgBouncer between")
	c.secret(map[string]string{"DATABASE_URL": c.url})
	c.midway()
}
