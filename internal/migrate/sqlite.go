package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// sqliteEngine uses one connection: SQLite has one writer anyway, and pragmas
// and temporary tables belong to a connection.
type sqliteEngine struct {
	db      *sql.DB
	conn    *sql.Conn
	options engineOptions

	// references is the state of the foreign keys after the last commit, and
	// version what PRAGMA data_version said then: while it is the same, nobody
	// else has written.
	references map[reference]int64
	version    int64
}

// busySlice is how long SQLite itself waits for a lock. It cannot be
// interrupted, so longer waits are loops here.
const busySlice = 50 * time.Millisecond

// openSQLite opens a database file. Unless create is set, a file that does not
// exist is an error; nothing is written either way before the first
// transaction. The journal mode stays as it is.
func openSQLite(ctx context.Context, path string, create bool, options engineOptions) (_ *sqliteEngine, err error) {
	mode := "rw"
	if create {
		mode = "rwc"
	}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	query := url.Values{"mode": {mode}, "_busy_timeout": {fmt.Sprint(busySlice.Milliseconds())}, "_foreign_keys": {"0"}}
	connector, err := sqlite.NewConnector(name.String() + "?" + query.Encode())
	if err != nil {
		return nil, usage(result.ReasonInvalidURL, "the path of the database cannot be used")
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	e := &sqliteEngine{db: db, options: options}
	if e.conn, err = db.Conn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database file: %w", err), db.Close())
	}
	return e, nil
}

// sqliteExists reports whether there is a database file.
func sqliteExists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (e *sqliteEngine) dialect() step.Dialect { return step.SQLite }

func (e *sqliteEngine) close() error {
	return errors.Join(ignoreConnDone(e.conn.Close()), e.db.Close())
}

// snapshot repeats fn while another process commits, which without a write-ahead
// log keeps all readers out for a moment.
func (e *sqliteEngine) snapshot(ctx context.Context, fn func(context.Context, step.Tx) error) error {
	deadline := time.Now().Add(e.options.lockTimeout)
	for pause := lockPollMin; ; pause = min(2*pause, lockPollMax) {
		err := e.snapshotOnce(ctx, fn)
		if err == nil || !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		if err := wait(ctx, jitter(pause)); err != nil {
			return err
		}
	}
}

func (e *sqliteEngine) snapshotOnce(ctx context.Context, fn func(context.Context, step.Tx) error) (err error) {
	if _, err := e.conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	defer func() {
		_, rollbackErr := e.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, rollbackErr)
	}()
	return fn(ctx, e.conn)
}

// control runs BEGIN IMMEDIATE or COMMIT, again and again while the file is locked. The
// deadline is that of the migration lock for BEGIN IMMEDIATE, which is just
// that, and the lock timeout for COMMIT.
func (e *sqliteEngine) control(ctx context.Context, statement string) error {
	limit := e.options.lockTimeout
	if statement == beginImmediate {
		limit = e.options.lockWait
	}
	deadline := time.Now().Add(limit)
	for pause := lockPollMin; ; pause = min(2*pause, lockPollMax) {
		_, err := e.conn.ExecContext(ctx, statement)
		if err == nil || !isBusy(err) {
			return err
		}
		if limit > 0 && time.Now().After(deadline) {
			if statement == beginImmediate {
				return errMigrationLocked
			}
			return err
		}
		if err := wait(ctx, jitter(pause)); err != nil {
			return err
		}
	}
}

const beginImmediate = "BEGIN IMMEDIATE"

func isBusy(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && (lite.Code()&0xff == liteBusy || lite.Code()&0xff == liteLocked)
}

func (e *sqliteEngine) begin(ctx context.Context) (_ transaction, err error) {
	// Inside a transaction the pragma would be ignored, and rebuilding a table
	// that others refer to would delete their rows by cascade.
	if err := e.foreignKeysOff(ctx); err != nil {
		return nil, err
	}
	if err := e.control(ctx, beginImmediate); err != nil {
		return nil, err
	}
	t := &sqliteTx{Conn: e.conn, engine: e}
	facts, err := e.inspect(ctx, e.conn)
	if err != nil {
		return nil, errors.Join(err, t.rollback(ctx))
	}
	t.before = facts
	if err := e.readReferences(ctx); err != nil {
		return nil, errors.Join(err, t.rollback(ctx))
	}
	return t, nil
}

func (e *sqliteEngine) foreignKeysOff(ctx context.Context) error {
	if _, err := e.conn.ExecContext(ctx, "PRAGMA foreign_keys = OFF"); err != nil {
		return err
	}
	var on bool
	if err := e.conn.QueryRowContext(ctx, "PRAGMA foreign_keys").Scan(&on); err != nil {
		return err
	}
	if on {
		return permanent(result.ReasonInternal, "foreign keys cannot be switched off for the migration")
	}
	return nil
}

func (e *sqliteEngine) beginSession(context.Context) (transaction, error) {
	return nil, permanent(result.ReasonBundleInvalid, "SQLite has nothing that cannot run in a transaction: the directive no-transaction is not supported there")
}

func (e *sqliteEngine) inspect(ctx context.Context, q step.Tx) (schemaFacts, error) {
	// A view or a virtual table, which has no root page, is only asked for its
	// name: its columns need what it refers to, or its module.
	rows, err := q.QueryContext(ctx, `SELECT m.name, 0,
			CASE WHEN m.type = 'table' AND m.rootpage > 0
				THEN coalesce((SELECT group_concat(name) FROM pragma_table_info(m.name)), '') ELSE '' END
		FROM sqlite_master m WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	if err != nil {
		return schemaFacts{}, fmt.Errorf("reading the schema: %w", err)
	}
	return scanFacts(rows)
}

// sizes has nothing to say: SQLite would have to read a table to count its rows.
func (e *sqliteEngine) sizes(context.Context, step.Tx, []string) ([]result.Table, error) {
	return nil, nil
}

// elsewhere has nothing to say: a file has one schema.
func (e *sqliteEngine) elsewhere(context.Context, step.Tx, []string) (schema string, found []string, err error) {
	return "", nil, nil
}

// verify has nothing to do: a SQLite transaction sees one state of everything.
func (e *sqliteEngine) verify(context.Context, step.Tx, schemaFacts) error { return nil }

// reference is a foreign key with rows that it does not find.
type reference struct{ table, parent string }

// readReferences counts violations before a revision runs. They cost a scan,
// which is saved while this connection is the only writer.
func (e *sqliteEngine) readReferences(ctx context.Context) error {
	var version int64
	if err := e.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		return err
	}
	if e.references != nil && version == e.version {
		return nil
	}
	references, err := countViolations(ctx, e.conn, nil)
	e.references, e.version = references, version
	return err
}

// countViolations counts the rows that refer to rows which are not there: of all
// tables, or of those given and of the ones that refer to them.
func countViolations(ctx context.Context, q step.Tx, tables []string) (out map[reference]int64, err error) {
	query := `SELECT "table", "parent", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2`
	if tables != nil {
		query = `SELECT c."table", c."parent", count(*) FROM sqlite_master AS m, pragma_foreign_key_check(m.name) AS c
			WHERE m.type = 'table' AND (` + amongTables("m.name", tables) + ` OR EXISTS (
				SELECT 1 FROM pragma_foreign_key_list(m.name) AS f WHERE ` + amongTables(`f."table"`, tables) + `)) GROUP BY 1, 2`
	}
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("checking foreign keys: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = map[reference]int64{}
	for rows.Next() {
		var r reference
		var n int64
		if err := rows.Scan(&r.table, &r.parent, &n); err != nil {
			return nil, fmt.Errorf("checking foreign keys: %w", err)
		}
		out[r] = n
	}
	return out, rows.Err()
}

// amongTables is a condition: that an expression is one of the names.
func amongTables(expression string, names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = literal(name)
	}
	return expression + " COLLATE NOCASE IN (" + strings.Join(quoted, ", ") + ")"
}

// compareReferences refuses violations that were not there before. Fewer are
// fine: a revision may drop the table that had them.
//
// A table that the revision has made is left out: the application enforces no
// foreign keys, so what it copies to one may refer to rows that are gone.
func compareReferences(before, after map[reference]int64, schema schemaFacts) error {
	for r, n := range after {
		if n > before[r] && schema.has(r.table) {
			e := permanent(result.ReasonForeignKeys, "the revision leaves %d rows of table %s that refer to missing rows of %s",
				n-before[r], r.table, r.parent)
			e.Failure.Table = r.table
			return e
		}
	}
	return nil
}

// sqliteTx is a transaction. database/sql's own would be over after a COMMIT
// that finds the file busy, while this one can try again.
type sqliteTx struct {
	*sql.Conn
	engine *sqliteEngine
	// before is the schema as the transaction found it.
	before schemaFacts
	// own are the views, triggers and indexes that it found when it set them
	// aside; nil before.
	own []ownObject
	// touched are the tables that may have changed; nil means any.
	touched []string
	done    bool
}

func (t *sqliteTx) blockers() []result.Blocker { return nil }

// fence does nothing: BEGIN IMMEDIATE has kept others out.
func (t *sqliteTx) fence(context.Context, Fence) error { return nil }

// lockTables locks nothing, because BEGIN IMMEDIATE has locked the file. It notes
// what is about to change.
func (t *sqliteTx) lockTables(_ context.Context, tables []string) error {
	t.touched = append(t.touched, tables...)
	return nil
}

func (t *sqliteTx) script(ctx context.Context, statements []string) error {
	_, err := t.ExecContext(ctx, strings.Join(statements, ";\n"))
	return err
}

func (t *sqliteTx) commit(ctx context.Context, bookkeeping []string) error {
	if err := t.putBack(ctx); err != nil {
		return err
	}
	after, err := t.violations(ctx)
	if err != nil {
		return err
	}
	if err := compareReferences(t.engine.references, after, t.before); err != nil {
		return err
	}
	if err := t.script(ctx, bookkeeping); err != nil {
		return err
	}
	if err := t.engine.control(ctx, "COMMIT"); err != nil {
		return err
	}
	t.done = true
	t.engine.references = maps.Clone(after)
	return nil
}

// violations counts those of all tables, but looks only at what may have changed.
func (t *sqliteTx) violations(ctx context.Context) (map[reference]int64, error) {
	counted, err := countViolations(ctx, t.Conn, t.touched)
	if err != nil || t.touched == nil {
		return counted, err
	}
	for r, n := range t.engine.references {
		if _, ok := counted[r]; !ok && !slices.Contains(t.touched, r.table) && !slices.Contains(t.touched, r.parent) {
			counted[r] = n
		}
	}
	return counted, nil
}

func (t *sqliteTx) rollback(ctx context.Context) error {
	if t.done {
		return nil
	}
	t.done = true
	_, err := t.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	var lite *sqlite.Error
	if errors.As(err, &lite) && lite.Code()&0xff == 1 {
		return nil // SQLite has rolled back by itself, as it does when the disk is full
	}
	return err
}
