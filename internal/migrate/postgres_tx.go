package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// postgresTx is a transaction with the migration lock. It speaks to the
// connection itself, because database/sql's own transaction would cost a round
// trip for BEGIN and another for COMMIT.
type postgresTx struct {
	*sql.Conn
	engine *postgresEngine
	watch  *blockerWatch
	done   bool
}

func (t *postgresTx) blockers() []result.Blocker { return t.watch.last() }

// lockTables asks for the tables and locks them in one statement.
func (t *postgresTx) lockTables(ctx context.Context, tables []string) error {
	if len(tables) == 0 {
		return nil
	}
	names := make([]string, len(tables))
	for i, table := range tables {
		names[i] = literal(table)
	}
	_, err := t.ExecContext(ctx, "DO "+literal(`DECLARE
	existing text;
BEGIN
	SELECT string_agg(quote_ident(c.relname), ', ' ORDER BY c.relname) INTO existing
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = `+literal(t.engine.options.schema)+` AND c.relkind IN ('r', 'p') AND c.relname IN (`+strings.Join(names, ", ")+`);
	IF existing IS NOT NULL THEN
		EXECUTE 'LOCK TABLE ' || existing || ' IN ACCESS EXCLUSIVE MODE';
	END IF;
END`))
	return err
}

// setAside does nothing: PostgreSQL alters tables in place, and says what is in
// the way.
func (t *postgresTx) setAside(context.Context) error { return nil }

func (t *postgresTx) script(ctx context.Context, statements []string) error {
	// Without parameters this is one message, and so one round trip.
	_, err := t.ExecContext(ctx, strings.Join(statements, ";\n"))
	return err
}

// commit sends the bookkeeping and COMMIT together: the server skips whatever
// follows a statement that fails.
func (t *postgresTx) commit(ctx context.Context, bookkeeping []string) error {
	if err := t.script(ctx, append(bookkeeping, "COMMIT")); err != nil {
		return commitFailed(err)
	}
	t.done = true
	t.watch.stop()
	return ignoreConnDone(t.Close())
}

// commitFailed marks an error of COMMIT, unless the server has refused it.
func commitFailed(err error) error {
	if definite(err) {
		return err
	}
	return &commitError{err: err}
}

// rollbackTimeout bounds ROLLBACK. When it passes, or anything else is wrong,
// the connection is closed, which has the same effect.
const rollbackTimeout = 5 * time.Second

func (t *postgresTx) rollback(ctx context.Context) error {
	if t.done {
		return nil
	}
	t.done = true
	t.watch.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if _, err := t.ExecContext(ctx, "ROLLBACK"); err != nil {
		return discard(t.Conn)
	}
	return ignoreConnDone(t.Close())
}

// discard closes a connection for good instead of returning it to the pool.
func discard(conn *sql.Conn) error {
	err := conn.Raw(func(any) error { return errDiscard })
	return errors.Join(ignoreConnDone(err), ignoreConnDone(conn.Close()))
}

func ignoreConnDone(err error) error {
	if errors.Is(err, sql.ErrConnDone) || isConnectionLoss(err) {
		return nil
	}
	return err
}

// postgresSession is a session with the migration lock, for files that cannot
// run in a transaction.
type postgresSession struct {
	*sql.Conn
	engine *postgresEngine
	watch  *blockerWatch
	pid    int
	done   bool
}

func (e *postgresEngine) beginSession(ctx context.Context) (_ transaction, err error) {
	if err := e.refusePooler(ctx); err != nil {
		return nil, err
	}
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, &connectError{err: err}
	}
	s := &postgresSession{Conn: conn, engine: e}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.discard())
		}
	}()
	if _, err := conn.ExecContext(ctx, e.settings("SET")); err != nil {
		return nil, fmt.Errorf("setting up a session: %w", err)
	}
	if s.pid, err = e.pollLock(ctx, conn, "pg_try_advisory_lock"); err != nil {
		return nil, err
	}
	s.watch = e.watch(ctx, s.pid)
	return s, nil
}

// discard closes the connection: its settings and its lock must not be found by
// whoever gets it next.
func (s *postgresSession) discard() error {
	if s.done {
		return nil
	}
	s.done = true
	s.watch.stop()
	return discard(s.Conn)
}

func (s *postgresSession) blockers() []result.Blocker { return s.watch.last() }

func (s *postgresSession) rollback(context.Context) error { return s.discard() }

// lockTables does nothing: without a transaction a lock ends with its own
// statement.
func (s *postgresSession) lockTables(context.Context, []string) error { return nil }

// setAside does nothing, as in a transaction.
func (s *postgresSession) setAside(context.Context) error { return nil }

func (s *postgresSession) script(ctx context.Context, statements []string) error {
	_, err := s.ExecContext(ctx, strings.Join(statements, ";\n"))
	return err
}

func (s *postgresSession) commit(ctx context.Context, bookkeeping []string) error {
	// If a pooler has moved the session after all, the lock stayed behind.
	var pid int
	if err := s.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return err
	}
	if pid != s.pid {
		return errPooler()
	}
	tx, err := s.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, strings.Join(bookkeeping, ";\n")); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return commitFailed(err)
	}
	return s.discard()
}

// refusePooler looks for signs that sessions are shared: a second connection
// that is inside a transaction gets the server process of an idle first one
// only if a pooler hands processes out by transaction.
func (e *postgresEngine) refusePooler(ctx context.Context) (err error) {
	first, err := e.db.Conn(ctx)
	if err != nil {
		return &connectError{err: err}
	}
	defer func() { err = errors.Join(err, ignoreConnDone(first.Close())) }()
	seen := map[int]bool{}
	for range 3 {
		pid, err := backendPID(ctx, first)
		if err != nil {
			return err
		}
		seen[pid] = true
		other, err := e.pidInTransaction(ctx)
		if err != nil {
			return err
		}
		if seen[other] || len(seen) > 1 {
			return errPooler()
		}
	}
	return nil
}

func (e *postgresEngine) pidInTransaction(ctx context.Context) (pid int, err error) {
	tx, err := e.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, &connectError{err: err}
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback())) }()
	return backendPID(ctx, tx)
}

func backendPID(ctx context.Context, q step.Tx) (pid int, err error) {
	err = q.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid)
	return pid, err
}

func errPooler() error {
	return refused(result.ReasonTransactionPooler,
		"a revision cannot run in a transaction and needs a session of its own, but the connection goes through a pooler in"+
			" transaction mode; connect to the server itself")
}
