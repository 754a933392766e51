package migrate

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// engineOptions are what both engines need to know.
type engineOptions struct {
	// schema is the PostgreSQL schema.
	schema string
	// lockTimeout bounds the wait for one lock on a table, statementTimeout one
	// statement; 0 is no limit.
	lockTimeout, statementTimeout time.Duration
	// lockWait bounds the wait for the migration lock.
	lockWait time.Duration
	// known reports whether a revision that touches a table has a name in its
	// files.
	known func(table, name string) bool
}

// idleTimeout ends a transaction whose client is gone without a word, so that
// its locks do not outlive it for as long as TCP keeps hoping. No step thinks
// for that long between two statements.
const idleTimeout = 5 * time.Minute

// The pauses between two attempts to take the migration lock.
const (
	lockPollMin = 20 * time.Millisecond
	lockPollMax = 500 * time.Millisecond
)

type postgresEngine struct {
	db      *sql.DB
	options engineOptions
	cleanup func()
	// database is the name on the server, which a pooler may call another.
	database string
}

func (e *postgresEngine) dialect() step.Dialect { return step.Postgres }

func (e *postgresEngine) close() error {
	defer e.cleanup()
	return e.db.Close()
}

// setLocal sets a parameter until the transaction ends.
const setLocal = "SET LOCAL"

// settings are the parameters of a transaction. They are set by statement,
// because a pooler in transaction mode refuses most start-up parameters and
// forgets session ones.
func (e *postgresEngine) settings(set string) string {
	milliseconds := func(d time.Duration) string { return fmt.Sprintf("%d", d.Milliseconds()) }
	var out strings.Builder
	for _, s := range [][2]string{
		{"search_path", e.searchPath()},
		{"lock_timeout", milliseconds(e.options.lockTimeout)},
		{"statement_timeout", milliseconds(e.options.statementTimeout)},
		{"idle_in_transaction_session_timeout", milliseconds(idleTimeout)},
		{"standard_conforming_strings", "on"},
		{"client_min_messages", "warning"},
	} {
		fmt.Fprintf(&out, "%s %s = %s;", set, s[0], s[1])
	}
	out.WriteString(unlimited("transaction_timeout", set == setLocal)) // PostgreSQL 17's
	return out.String()
}

// unlimited is a statement that switches a timeout off, where the server has it:
// SET of one that it does not know is an error.
func unlimited(timeout string, local bool) string {
	name := literal(timeout)
	return fmt.Sprintf("SELECT set_config(%s, '0', %t) WHERE current_setting(%s, true) IS NOT NULL;", name, local, name)
}

// searchPath names the temporary schema last: first is where PostgreSQL would
// look otherwise, and a left-over temporary table of a pooled session could
// stand in for a real one.
func (e *postgresEngine) searchPath() string {
	return pq.QuoteIdentifier(e.options.schema) + ", pg_temp"
}

func (e *postgresEngine) snapshot(ctx context.Context, fn func(context.Context, step.Tx) error) (err error) {
	tx, err := e.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return &connectError{err: err}
	}
	defer func() {
		if rollbackErr := tx.Rollback(); err == nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = rollbackErr
		}
	}()
	if _, err := tx.ExecContext(ctx, e.settings(setLocal)); err != nil {
		return fmt.Errorf("setting up a transaction: %w", err)
	}
	return fn(ctx, tx)
}

func (e *postgresEngine) begin(ctx context.Context) (_ transaction, err error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, &connectError{err: err}
	}
	t := &postgresTx{Conn: conn, engine: e}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.rollback(ctx))
		}
	}()
	// The isolation level matters: only with this one does a statement after
	// the lock see what the lock's last holder committed.
	if _, err := conn.ExecContext(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"+e.settings(setLocal)); err != nil {
		if server, ok := errors.AsType[*pq.Error](err); ok && string(server.Code) == stateNotSupported {
			// So says a standby of a transaction that is to write.
			return nil, &Error{Outcome: result.Transient, Reason: result.ReasonReadOnly, Message: "the server is a standby", Err: err}
		}
		return nil, fmt.Errorf("beginning a transaction: %w", err)
	}
	pid, err := e.pollLock(ctx, conn, "pg_try_advisory_xact_lock")
	if err != nil {
		return nil, err
	}
	t.watch = e.watch(ctx, pid)
	return t, nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// lockKey is the key of the advisory lock. Advisory locks belong to a database,
// so its name only keeps the key apart from those of other programs.
func lockKey(database, schema string) int64 {
	sum := sha256.Sum256([]byte("schemagate migration\x00" + database + "\x00" + schema))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // any 64 bits will do
}

// pollLock takes the migration lock. A waiting lock request could not be given
// a deadline of its own, and would be granted to a runner that has given up.
func (e *postgresEngine) pollLock(ctx context.Context, q step.Tx, function string) (pid int, err error) {
	if e.database == "" {
		if err := q.QueryRowContext(ctx, "SELECT current_database()").Scan(&e.database); err != nil {
			return 0, fmt.Errorf("taking the migration lock: %w", err)
		}
	}
	key := lockKey(e.database, e.options.schema)
	deadline := time.Now().Add(e.options.lockWait)
	for pause := lockPollMin; ; pause = min(2*pause, lockPollMax) {
		var got bool
		if err := q.QueryRowContext(ctx, fmt.Sprintf("SELECT %s(%d), pg_backend_pid()", function, key)).Scan(&got, &pid); err != nil {
			return 0, fmt.Errorf("taking the migration lock: %w", err)
		}
		if got {
			return pid, nil
		}
		if time.Now().After(deadline) {
			return 0, e.lockHeld(ctx, q, key)
		}
		if err := wait(ctx, jitter(pause)); err != nil {
			return 0, err
		}
	}
}

// lockHeld returns errMigrationLocked with whoever holds the lock.
func (e *postgresEngine) lockHeld(ctx context.Context, q step.Tx, key int64) error {
	high, low := uint32(uint64(key)>>32), uint32(uint64(key)) //nolint:gosec // the halves of the key
	blockers, err := readBlockers(ctx, q, fmt.Sprintf(
		"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = %d AND objid = %d"+
			" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", high, low))
	if err != nil || len(blockers) == 0 {
		return errMigrationLocked
	}
	return &blockedError{blockers: blockers, err: errMigrationLocked}
}

func (e *postgresEngine) inspect(ctx context.Context, q step.Tx) (facts schemaFacts, err error) {
	var exists bool
	if err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = "+
		literal(e.options.schema)+")").Scan(&exists); err != nil {
		return facts, fmt.Errorf("reading the schema: %w", err)
	}
	if !exists {
		return facts, &Error{
			Outcome: result.Transient, Reason: result.ReasonDatabaseMissing,
			Message: fmt.Sprintf("the schema %q does not exist in the database", e.options.schema),
		}
	}
	rows, err := q.QueryContext(ctx, `SELECT c.relname, c.oid, coalesce(string_agg(a.attname, ',' ORDER BY a.attnum), '')
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE n.nspname = `+literal(e.options.schema)+` AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		GROUP BY c.oid, c.relname`)
	if err != nil {
		return facts, fmt.Errorf("reading the schema: %w", err)
	}
	return scanFacts(rows)
}

// elsewhere implements engine. The session's own search path is what the URL, the
// role or the database says; through a pooler another client may have left one of
// its own, which is nobody's any more.
func (e *postgresEngine) elsewhere(ctx context.Context, q step.Tx, tables []string) (schema string, found []string, err error) {
	if _, err := q.ExecContext(ctx, setLocal+" search_path TO DEFAULT"); err != nil {
		return "", nil, fmt.Errorf("reading the search path: %w", err)
	}
	names := make([]string, len(tables))
	for i, table := range tables {
		names[i] = literal(table)
	}
	schema, found, err = readElsewhere(ctx, q, `SELECT n.nspname, c.relname
		FROM unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place)
		JOIN pg_catalog.pg_namespace n ON n.nspname = path.name
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND c.relname IN (`+strings.Join(names, ", ")+`)
		WHERE n.nspname <> `+literal(e.options.schema)+` ORDER BY path.place, c.relname`)
	if err != nil {
		return "", nil, err
	}
	if _, err := q.ExecContext(ctx, setLocal+" search_path = "+e.searchPath()); err != nil {
		return "", nil, fmt.Errorf("setting the search path: %w", err)
	}
	return schema, found, nil
}

// readElsewhere returns the first schema of a list of tables, and those in it.
func readElsewhere(ctx context.Context, q step.Tx, query string) (schema string, found []string, err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return "", nil, fmt.Errorf("reading other schemas: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name, table string
		if err := rows.Scan(&name, &table); err != nil {
			return "", nil, fmt.Errorf("reading other schemas: %w", err)
		}
		if schema == "" {
			schema = name
		}
		if name == schema {
			found = append(found, table)
		}
	}
	return schema, found, rows.Err()
}

// verify compares the version tables of the snapshot with those of the present,
// which are the ones that were read, and which have been locked since. A table
// that was dropped and made again in between looks empty to the snapshot.
func (e *postgresEngine) verify(ctx context.Context, q step.Tx, facts schemaFacts) error {
	var pairs []string
	for _, name := range BookkeepingTables() {
		if oid, ok := facts.identities[name]; ok {
			pairs = append(pairs, fmt.Sprintf("(%s, %d)", literal(name), oid))
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	var others int
	err := q.QueryRowContext(ctx, "SELECT count(*) FROM (VALUES "+strings.Join(pairs, ", ")+
		") AS v (name, id) WHERE to_regclass(name)::oid::bigint IS DISTINCT FROM id").Scan(&others)
	if err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	if others > 0 {
		return errStale
	}
	return nil
}

// maxSizes is how many tables a result has the sizes of. Few are large.
const maxSizes = 8

// sizes implements engine. What pg_relation_size says is truer, but it waits for
// whoever holds the table, such as a migration.
func (e *postgresEngine) sizes(ctx context.Context, q step.Tx, tables []string) (out []result.Table, err error) {
	var names []string
	for _, name := range tables {
		names = append(names, literal(name))
	}
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx, fmt.Sprintf(`SELECT c.relname, c.reltuples::bigint,
			(c.relpages + coalesce(t.relpages, 0))::bigint * current_setting('block_size')::bigint AS bytes
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
		WHERE n.nspname = %s AND c.relkind = 'r' AND c.reltuples > 0 AND c.relname IN (%s)
		ORDER BY bytes DESC, c.relname LIMIT %d`, literal(e.options.schema), strings.Join(names, ", "), maxSizes))
	if err != nil {
		return nil, fmt.Errorf("reading the sizes of tables: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var table result.Table
		if err := rows.Scan(&table.Name, &table.Rows, &table.Bytes); err != nil {
			return nil, fmt.Errorf("reading the sizes of tables: %w", err)
		}
		out = append(out, table)
	}
	return out, rows.Err()
}

// scanFacts reads names of tables, what identifies them, and their columns,
// joined by commas.
func scanFacts(rows *sql.Rows) (facts schemaFacts, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	facts.tables, facts.identities = map[string][]string{}, map[string]int64{}
	for rows.Next() {
		var table, columns string
		var identity int64
		if err := rows.Scan(&table, &identity, &columns); err != nil {
			return facts, fmt.Errorf("reading the schema: %w", err)
		}
		facts.tables[table], facts.identities[table] = nil, identity
		if columns != "" {
			facts.tables[table] = strings.Split(columns, ",")
		}
	}
	return facts, rows.Err()
}
