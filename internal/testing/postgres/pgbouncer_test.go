package postgres_test

import (
	"net/url"
	"testing"

	"github.com/schemagate/schemagate/internal/testing/postgres"
)

func TestPgBouncerPoolModes(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	// A setting of the session is there for the next statement only if the
	// session is still the same, and reset when PgBouncer takes it back.
	tests := map[postgres.PoolMode]struct {
		keepsSession, allowsTransactions bool
	}{
		postgres.PoolSession:     {keepsSession: true, allowsTransactions: true},
		postgres.PoolTransaction: {keepsSession: false, allowsTransactions: true},
		postgres.PoolStatement:   {keepsSession: false, allowsTransactions: false},
	}
	for mode, want := range tests {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			bouncer := postgres.StartPgBouncer(t, server, mode)
			pooled := bouncer.URL(t, server.NewDatabase(t))

			// The other client takes the only server connection in between.
			db, other := postgres.Open(t, pooled), postgres.Open(t, pooled)
			db.SetMaxOpenConns(1)
			first := value(t, db, "SELECT pg_backend_pid()")
			tx, err := other.BeginTx(t.Context(), nil)
			if allowed := err == nil; allowed != want.allowsTransactions {
				t.Errorf("beginning a transaction: %v, want allowed: %t", err, want.allowsTransactions)
			}
			if err != nil {
				return
			}
			defer func() { _ = tx.Rollback() }()
			mustExec(t, tx, "SELECT 1")
			second := value(t, db, "SELECT pg_backend_pid()")
			if kept := first == second; kept != want.keepsSession {
				t.Errorf("server sessions %s and %s, want the same: %t", first, second, want.keepsSession)
			}
		})
	}
}

func TestPgBouncerRefusesStartUpOptions(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	u, err := url.Parse(postgres.StartPgBouncer(t, server, postgres.PoolTransaction).URL(t, server.NewDatabase(t)))
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery += "&search_path=elsewhere"
	err = postgres.Open(t, u.String()).PingContext(t.Context())
	if got := sqlState(err); got != protocolViolation {
		t.Errorf("connecting with search_path: %v, want SQLSTATE %s", err, protocolViolation)
	}
}

func TestPgBouncerAuthenticatesEveryRole(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	server.Exec(t, "CREATE ROLE pooled LOGIN PASSWORD 'secret'")
	t.Cleanup(func() { server.Exec(t, "DROP ROLE pooled") })
	u, err := url.Parse(postgres.StartPgBouncer(t, server, postgres.PoolTransaction).URL(t, server.NewDatabase(t)))
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"secret": true, "wrong": false} {
		u.User = url.UserPassword("pooled", password)
		err := postgres.Open(t, u.String()).PingContext(t.Context())
		if got := err == nil; got != want {
			t.Errorf("connecting with password %q: %v, want accepted: %t", password, err, want)
		}
	}
}
