package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// SQLSTATE codes that PostgreSQL answers with.
const (
	invalidPassword    = "28P01"
	tooManyConnections = "53300"
	protocolViolation  = "08P01"
)

func TestNewDatabase(t *testing.T) {
	t.Parallel()
	db := postgres.Open(t, postgres.Shared(t).NewDatabase(t))
	got := make([]string, 3)
	query := `SELECT pg_encoding_to_char(encoding), datcollate, datctype
		FROM pg_database WHERE datname = current_database()`
	if err := db.QueryRowContext(t.Context(), query).Scan(&got[0], &got[1], &got[2]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"UTF8", "C.UTF-8", "C.UTF-8"}, got); diff != "" {
		t.Errorf("encoding, collation and character classification (-want +got):\n%s", diff)
	}
}

func TestNewDatabaseIsDroppedThoughConnected(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	// Pools of this test are still open when the subtest cleans up.
	open := func(databaseURL string) *sql.DB { return postgres.Open(t, databaseURL) }
	var name string
	t.Run("user", func(t *testing.T) {
		name = value(t, open(server.NewDatabase(t)), "SELECT current_database()")
	})
	if got := value(t, open(server.URL("postgres")), "SELECT count(*) FROM pg_database WHERE datname = $1", name); got != "0" {
		t.Errorf("database %s still exists after its test", name)
	}
}

func TestSharedServesParallelTestsApart(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := postgres.Open(t, postgres.Shared(t).NewDatabase(t))
			mustExec(t, db, "CREATE TABLE own (n integer)")
			mustExec(t, db, "INSERT INTO own VALUES ($1)", i)
			if got := value(t, db, "SELECT string_agg(n::text, ',') FROM own"); got != fmt.Sprint(i) {
				t.Errorf("table holds %s, want %d alone", got, i)
			}
		})
	}
}

func TestSharedIsOneServer(t *testing.T) {
	t.Parallel()
	servers := make([]*postgres.Server, 4)
	var all sync.WaitGroup
	for i := range servers {
		all.Go(func() { servers[i] = postgres.Shared(t) })
	}
	all.Wait()
	for _, server := range servers[1:] {
		if server != servers[0] {
			t.Errorf("Shared returned servers on the ports %d and %d", servers[0].Port(), server.Port())
		}
	}
}

func TestPasswordIsChecked(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(postgres.Shared(t).URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "wrong")
	err = postgres.Open(t, u.String()).PingContext(t.Context())
	if got := sqlState(err); got != invalidPassword {
		t.Errorf("connecting with a wrong password: %v, want SQLSTATE %s", err, invalidPassword)
	}
}

func TestServersOfTheirOwn(t *testing.T) {
	t.Parallel()
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			server := postgres.Start(t)
			server.Exec(t, fmt.Sprintf("CREATE ROLE of_server_%d", i))
			got := value(t, postgres.Open(t, server.URL("postgres")),
				"SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname LIKE 'of_server_%'")
			if want := fmt.Sprintf("of_server_%d", i); got != want {
				t.Errorf("server has roles %s, want %s alone", got, want)
			}
		})
	}
}

func TestStopAndRestart(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	db := postgres.Open(t, server.NewDatabase(t))
	mustExec(t, db, "CREATE TABLE kept AS SELECT 'kept' AS word")

	server.Stop(t)
	err := postgres.Open(t, server.URL("postgres")).PingContext(t.Context())
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting to a stopped server: %v, want connection refused", err)
	}
	server.Stop(t)

	server.Restart(t, postgres.Setting("work_mem", "7MB"))
	if got := value(t, db, "SELECT word || current_setting('work_mem') FROM kept"); got != "kept7MB" {
		t.Errorf("after a restart: %s, want the old row and the new setting", got)
	}
	started := value(t, db, "SELECT pg_postmaster_start_time()")
	server.Restart(t)
	if got := value(t, db, "SELECT pg_postmaster_start_time()"); got == started {
		t.Error("Restart left the running server as it was")
	}
}

func TestKillLosesWhatIsNotCommitted(t *testing.T) {
	t.Parallel()
	// A committed row that is still in memory would be lost as well.
	server := postgres.Start(t, postgres.Setting("synchronous_commit", "on"))
	db := postgres.Open(t, server.NewDatabase(t))
	mustExec(t, db, "CREATE TABLE words (word text)")
	mustExec(t, db, "INSERT INTO words VALUES ('committed')")
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO words VALUES ('open')"); err != nil {
		t.Fatal(err)
	}

	server.Kill(t)
	if err := tx.Commit(); err == nil {
		t.Error("committing on a killed server succeeded")
	}
	server.Restart(t)
	if got := value(t, db, "SELECT string_agg(word, ',') FROM words"); got != "committed" {
		t.Errorf("rows after the crash: %s, want the committed one alone", got)
	}
	// PostgreSQL writes its counters at an orderly end, and only then.
	if got := value(t, db, "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'words'"); got != "0" {
		t.Errorf("the server remembers %s inserted rows: it was not killed", got)
	}
}

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t, postgres.MaxConnections(4), postgres.Setting("superuser_reserved_connections", "0"))
	// Dropping a database of one's own would need a connection at the end, while the
	// server has not quite noticed that these are closed.
	url := server.URL("postgres")
	for i := range 5 {
		err := postgres.Open(t, url).PingContext(t.Context())
		if i < 4 && err != nil {
			t.Fatalf("connection %d of 4: %v", i+1, err)
		}
		if i == 4 && sqlState(err) != tooManyConnections {
			t.Errorf("fifth connection: %v, want SQLSTATE %s", err, tooManyConnections)
		}
	}
}

func TestListenOn(t *testing.T) {
	t.Parallel()
	const further = "127.0.0.2"
	for name, opts := range map[string][]postgres.Option{further: {postgres.ListenOn(further)}, "default": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := postgres.Start(t, opts...)
			u, err := url.Parse(server.URL("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			u.Host = fmt.Sprintf("%s:%d", further, server.Port())
			err = postgres.Open(t, u.String()).PingContext(t.Context())
			if listens := err == nil; listens != (opts != nil) {
				t.Errorf("connecting to %s: %v", further, err)
			}
		})
	}
}

func TestSocketNeedsNoPassword(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	db := postgres.Open(t, fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres sslmode=disable", server.SocketDir(), server.Port()))
	if got := value(t, db, "SELECT inet_client_addr() IS NULL"); got != "true" {
		t.Error("the connection does not go through the socket")
	}
}

// value reads one value as text.
func value(tb testing.TB, db *sql.DB, query string, args ...any) string {
	tb.Helper()
	var got string
	if err := db.QueryRowContext(tb.Context(), query, args...).Scan(&got); err != nil {
		tb.Fatalf("Querying %q: %v", query, err)
	}
	return got
}

func mustExec(tb testing.TB, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, query string, args ...any,
) {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), query, args...); err != nil {
		tb.Fatalf("Executing %q: %v", query, err)
	}
}

func sqlState(err error) string {
	pqErr, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return ""
	}
	return string(pqErr.Code)
}
