package migrate

import (
	"context"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// engine is what differs between PostgreSQL and SQLite. It is used by one
// goroutine at a time.
type engine interface {
	dialect() step.Dialect
	// snapshot runs fn in a read-only transaction that sees one state.
	snapshot(ctx context.Context, fn func(ctx context.Context, q step.Tx) error) error
	// begin starts a transaction that holds the migration lock. It waits for
	// the lock until the deadline of its options and then returns
	// errMigrationLocked.
	begin(ctx context.Context) (transaction, error)
	// beginSession takes the migration lock for a session instead, for files
	// that cannot run in a transaction. Statements take effect one by one;
	// commit writes the bookkeeping in a transaction of its own.
	beginSession(ctx context.Context) (transaction, error)
	// inspect reads what is in the schema: tables and the like, with what
	// belongs to extensions left out.
	inspect(ctx context.Context, q step.Tx) (schemaFacts, error)
	// verify returns errStale if what was read from the version tables since
	// inspect may be from others of the same name.
	verify(ctx context.Context, q step.Tx, facts schemaFacts) error
	// elsewhere returns the first schema, other than the own, in which the session
	// would look for tables by itself and that has some of those named, and which;
	// nothing if there is none.
	elsewhere(ctx context.Context, q step.Tx, tables []string) (schema string, found []string, err error)
	// sizes returns the largest tables of those named, the largest first, as the
	// server estimates them. It waits for no lock.
	sizes(ctx context.Context, q step.Tx, tables []string) ([]result.Table, error)
	close() error
}

// transaction is a running transaction that holds the migration lock.
type transaction interface {
	step.Tx
	// lockTables locks those of the tables that exist, in a fixed order.
	lockTables(ctx context.Context, tables []string) error
	// setAside takes away what is not the bundle's and would keep tables from
	// being altered, or go with them; commit puts it back. It has to be called
	// before the first alteration, and may be called again.
	setAside(ctx context.Context) error
	// script runs several statements without parameters at once.
	script(ctx context.Context, statements []string) error
	// fence looks for others that use the database, and fails while there are.
	fence(ctx context.Context, f Fence) error
	// commit runs the bookkeeping and commits.
	commit(ctx context.Context, bookkeeping []string) error
	// rollback ends the transaction without effect and frees the lock, also when
	// the context has ended: that is when it is called. Calling it again, or
	// after commit, does nothing.
	rollback(ctx context.Context) error
	// blockers are the sessions seen holding up this transaction last.
	blockers() []result.Blocker
}

// schemaFacts is what inspect returns.
type schemaFacts struct {
	// tables maps the names of tables and views to their columns, in order. SQLite
	// tells none of views and virtual tables.
	tables map[string][]string
	// identities tells a table from a later one of the same name; nil where
	// reading has no need of that.
	identities map[string]int64
}

func (f schemaFacts) has(table string) bool {
	_, ok := f.tables[table]
	return ok
}
