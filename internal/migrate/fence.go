package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Fence asks for a look at the other sessions of the database before a revision
// that running applications cannot live with: before every fencing one, and
// before any way down. It is a last look and no proof: a pooler hides clients,
// and a client may come a moment later. A SQLite file needs none, because
// whoever else has it open keeps its lock from being taken.
type Fence struct {
	// Ignore are the application names of sessions that are in nobody's way,
	// such as an exporter's.
	Ignore []string
}

// How often the sessions are looked at before they count as staying, and the
// pause in between: whoever was told to end needs a moment.
const (
	fenceLooks = 10
	fencePause = 100 * time.Millisecond
)

// fenceRetryTimeout is for how long a run tries again while others stay. People
// have to hear of them: nobody is served meanwhile.
const fenceRetryTimeout = 10 * time.Second

// sessionsError says who else uses the database.
type sessionsError struct{ sessions []result.Blocker }

func (e *sessionsError) Error() string {
	return "others use the database, and a revision needs it alone: " + describeBlockers(e.sessions)
}

// fence ends idle sessions of the own role, and refuses while others remain. The
// program's own connections, and those of others of its kind, do not count: they
// take the migration lock before they change anything.
func (t *postgresTx) fence(ctx context.Context, f Fence) error {
	return fenceSessions(ctx, t, f)
}

func (s *postgresSession) fence(ctx context.Context, f Fence) error {
	return fenceSessions(ctx, s, f)
}

func fenceSessions(ctx context.Context, q step.Tx, f Fence) error {
	for look := 1; ; look++ {
		left, err := endIdle(ctx, q, f)
		if err != nil || len(left) == 0 {
			return err
		}
		if look == fenceLooks {
			return &sessionsError{sessions: left}
		}
		if err := wait(ctx, fencePause); err != nil {
			return err
		}
	}
}

// endIdle looks once. A role without privileges sees of others' sessions the
// database, the user and the application, and neither state nor type: a session
// without a type counts, one that is known to be the server's own does not.
// The terminated are counted, too: the next look shows whether they are gone.
func endIdle(ctx context.Context, q step.Tx, f Fence) (left []result.Blocker, err error) {
	ignored := []string{"''"} // a list needs an entry, and this one is never asked for
	for _, name := range f.Ignore {
		ignored = append(ignored, literal(name))
	}
	// What is known of sessions is kept for the length of a transaction.
	if _, err := q.ExecContext(ctx, "SELECT pg_stat_clear_snapshot()"); err != nil {
		return nil, fmt.Errorf("looking for other sessions: %w", err)
	}
	rows, err := q.QueryContext(ctx, `SELECT name, min(pid), count(*), count(ended) FROM (
		SELECT coalesce(application_name, '') AS name, pid,
			CASE WHEN usename = current_user AND state = 'idle' THEN pg_terminate_backend(pid) END AS ended
		FROM pg_stat_activity
		WHERE datname = current_database() AND usename IS NOT NULL AND pid <> pg_backend_pid()
			AND (backend_type IS NULL OR backend_type = 'client backend')
			AND coalesce(application_name, '') NOT LIKE `+literal(applicationName+"%")+`
			AND (coalesce(application_name, '') = '' OR application_name NOT IN (`+strings.Join(ignored, ", ")+`))) others
		GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("looking for other sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b result.Blocker
		var ended int // asked for so that the server evaluates it
		if err := rows.Scan(&b.Application, &b.PID, &b.Count, &ended); err != nil {
			return nil, fmt.Errorf("looking for other sessions: %w", err)
		}
		left = append(left, b)
	}
	return left, rows.Err()
}

// named keeps the program's own sessions apart from the application's where
// both use one URL that gives them a name.
func named(application string) string {
	if application == "" || strings.HasPrefix(application, applicationName) {
		return applicationName
	}
	const limit = 63 // bytes, PostgreSQL's
	name := applicationName + " " + application
	return strings.ToValidUTF8(name[:min(len(name), limit)], "")
}

// validateFence refuses names that no session can have.
func (o *Options) validateFence() error {
	if o.Fence == nil {
		return nil
	}
	if i := slices.IndexFunc(o.Fence.Ignore, func(name string) bool {
		return name == "" || len(name) > 63 || strings.ContainsRune(name, 0)
	}); i >= 0 {
		return usage(result.ReasonInvalidOption, "session %d to ignore is named %s: the name of a session has 1 to 63 bytes",
			i+1, pq.QuoteLiteral(o.Fence.Ignore[i]))
	}
	return nil
}
