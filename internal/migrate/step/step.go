// Package step defines Go steps: the parts of a revision that SQL cannot
// express exactly, such as parsing a model file or walking arbitrary JSON in
// order.
//
// A revision file names a step with the directive "-- schemagate:step <name>".
// The engine runs it at that place, inside the transaction of the revision:
// statements above the directive run before it, those below after it. A step
// never commits, never opens another connection and never keeps state between
// runs, because the engine rolls back and repeats whole revisions.
//
// The package knows database/sql and lib/pq's COPY statement, and nothing about
// plans, versions or locks.
package step

import (
	"context"
	"database/sql"
	"fmt"
)

// Dialect is the SQL engine that a step runs on.
type Dialect string

// The engines that schemagate supports. The values are the directory names of
// a bundle.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Tx is the transaction a step is bound to. *sql.Tx and *sql.Conn satisfy it;
// Commit and Rollback are left out because only the engine may call them.
//
// Parameters are written $1, $2 … on both engines, in the order of their first
// use.
//
// On PostgreSQL, rows must be closed before the next statement is sent: lib/pq
// has one conversation per connection. Use Run.Read for anything that is longer
// than a handful of rows.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// Func is one Go step. It must be repeatable on the same input and must return
// promptly with the context's error when the context ends. An error rolls the
// revision back; it stays on the terminal unless it is a *DataError, whose
// fields are safe to report.
type Func func(ctx context.Context, run *Run) error

// Check is a preflight check written in Go. It returns the number of offending
// rows, 0 when the check passes, and must not write. It runs before anything is
// changed, in a read-only transaction.
type Check func(ctx context.Context, run *Run) (int64, error)

// Set holds the steps and checks of a bundle by the names that its files and
// its manifest use. The zero value has none. A Set is read-only once handed to
// the engine and may be shared.
type Set struct {
	// Steps are named by directives in revision files.
	Steps map[string]Func
	// Checks are named by the manifest's preflight entries.
	Checks map[string]Check
}

// DataError reports data that a step cannot convert. All its fields leave the
// process: Reason is fixed text of the step and never contains a value from a
// row.
type DataError struct {
	// Table is the table that holds the data.
	Table string
	// Rows is how many rows are affected; 0 means not counted.
	Rows int64
	// Reason says what is wrong with them, as in "meta is not a JSON object".
	Reason string
}

// Error implements error.
func (e *DataError) Error() string {
	if e.Rows > 0 {
		return fmt.Sprintf("table %s: %d rows: %s", e.Table, e.Rows, e.Reason)
	}
	return fmt.Sprintf("table %s: %s", e.Table, e.Reason)
}

// Run is what a step gets besides its context. It is valid until the step
// returns and must not be used by more than one goroutine at a time.
type Run struct {
	// Tx is the revision's transaction. The search path is set already, so SQL
	// names tables without a schema.
	Tx Tx
	// Dialect is the engine Tx talks to.
	Dialect Dialect

	progress func(done, total int64)
	readOnly bool
	cursors  int
}

// NewCheckRun binds a run to a transaction in which nothing is written.
func NewCheckRun(tx Tx, dialect Dialect) *Run {
	return &Run{Tx: tx, Dialect: dialect, readOnly: true}
}

// NewRun binds a run to a transaction. progress may be nil. The engine calls
// it; steps only in their tests.
func NewRun(tx Tx, dialect Dialect, progress func(done, total int64)) *Run {
	return &Run{Tx: tx, Dialect: dialect, progress: progress}
}

// Progress tells the user how many of total rows are done; total 0 means
// unknown. It is cheap and may be called for every batch.
func (r *Run) Progress(done, total int64) {
	if r.progress != nil {
		r.progress(done, total)
	}
}
