package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gomigrate "github.com/golang-migrate/migrate/v4"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Runner migrates one database. It connects when it is first used and must be
// closed.
type Runner struct {
	options Options
	target  int
	// expected is nil where nothing is expected.
	expected *int
	// adoptAt is 0 where the database decides.
	adoptAt int
	engine  engine
	planner planner

	// wrapSource lets tests break the source of revisions.
	wrapSource func(*planSource)
}

// Close ends the connections. It may be called more than once.
func (r *Runner) Close() error {
	if r.engine == nil {
		return nil
	}
	err := r.engine.close()
	r.engine = nil
	return err
}

// open connects. For a SQLite file that does not exist, unless it is to be
// created, there is no engine: it is as good as an empty database.
func (r *Runner) open(ctx context.Context, create bool) error {
	if r.engine != nil {
		return nil
	}
	o := &r.options
	name, err := engineOf(o.Database)
	if err != nil {
		return usage(result.ReasonInvalidURL, "%v", err)
	}
	r.planner = planner{options: o, engine: name, target: r.target, expected: r.expected, adoptAt: r.adoptAt}
	engineOptions := engineOptions{
		schema: o.Schema, lockTimeout: o.LockTimeout, statementTimeout: o.StatementTimeout, lockWait: o.RetryTimeout,
		known: o.knownNames(name),
	}
	if o.Database.Engine == dburl.Postgres {
		e, err := openPostgres(ctx, o.Database, o.ConnectTimeout, engineOptions)
		if err != nil {
			return err
		}
		r.engine = e
		return nil
	}
	if !create {
		if exists, err := sqliteExists(o.Database.Path); err != nil || !exists {
			return err
		}
	}
	e, err := openSQLite(ctx, o.Database.Path, create, engineOptions)
	if err != nil {
		return err
	}
	r.engine = e
	return nil
}

// Status reads the state of the database and changes nothing. The error is an
// *Error.
func (r *Runner) Status(ctx context.Context) (State, error) {
	var state State
	err := r.observe(ctx, func(_ context.Context, _ step.Tx, s State) error {
		state = s
		return nil
	})
	return state, r.explain(ctx, err)
}

// Plan says what Run would do, after running the preflight checks. It changes
// nothing. The error is an *Error; with a failed check the plan is returned
// too.
func (r *Runner) Plan(ctx context.Context) (*Plan, error) {
	var out *Plan
	p, err := r.prepare(ctx)
	if p != nil {
		out = &p.plan
		if err == nil {
			err = p.forbidden
		}
	}
	return out, r.explain(ctx, err)
}

// View calls fn in a read-only transaction that sees one state of the database,
// with the search path set. It is an error if there is no database file. The
// error is an *Error.
func (r *Runner) View(ctx context.Context, fn func(ctx context.Context, q step.Tx, dialect step.Dialect, schema string) error) error {
	err := r.open(ctx, false)
	if err == nil && r.engine == nil {
		err = databaseMissing()
	}
	if err == nil {
		err = r.engine.snapshot(ctx, func(ctx context.Context, q step.Tx) error {
			return fn(ctx, q, r.engine.dialect(), r.options.Schema)
		})
	}
	return r.explain(ctx, err)
}

// databaseMissing is the error of what has nothing to say about a database that is not there.
func databaseMissing() error {
	return &Error{Outcome: result.Transient, Reason: result.ReasonDatabaseMissing, Message: "there is no database file of that name: correct the path, or make it with migrate"}
}

// explain classifies an error of a public method. Whatever failed after the
// context ended failed because of it.
func (r *Runner) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	e := classify(err)
	if ctx.Err() != nil && e.Outcome != result.Refused && e.Outcome != result.Usage {
		return &Error{
			Outcome: result.Transient, Reason: result.ReasonInterrupted, Failure: e.Failure,
			Message: "interrupted; what was not committed was rolled back", Err: err,
		}
	}
	return e
}

// observe reads the state in a transaction and hands both over.
func (r *Runner) observe(ctx context.Context, fn func(context.Context, step.Tx, State) error) error {
	if err := r.open(ctx, false); err != nil {
		return err
	}
	if r.engine == nil {
		return fn(ctx, nil, State{NoFile: true})
	}
	for attempt := 1; ; attempt++ {
		err := r.engine.snapshot(ctx, func(ctx context.Context, q step.Tx) error {
			state, err := readState(ctx, r.engine, q)
			if err != nil {
				return err
			}
			return fn(ctx, q, state)
		})
		if attempt == observeAttempts || !disturbed(err) {
			return err
		}
		if err := wait(ctx, jitter(backoffMin)); err != nil {
			return err
		}
	}
}

// observeAttempts is how often a database is read again because another runner
// came in between.
const observeAttempts = 5

// disturbed reports that another runner came in between. Rows are read from one
// snapshot, but PostgreSQL looks up names in the present: whoever reads while
// another one commits can find a table in the catalog and miss it a moment
// later. And two that hold one table each and want the other's are a deadlock.
// The next snapshot tells the truth, and if the statement itself is at fault,
// it fails there too.
func disturbed(err error) bool {
	if errors.Is(err, errStale) {
		return true
	}
	server, ok := errors.AsType[*pq.Error](err)
	return ok && slices.Contains([]pqerror.Code{
		pqerror.UndefinedTable, pqerror.UndefinedColumn, pqerror.TRDeadlockDetected,
	}, server.Code)
}

// prepare reads the state, plans, and runs the checks that can run now, all in
// one read-only transaction. With a failed check it returns the plan as well.
func (r *Runner) prepare(ctx context.Context) (out *planned, err error) {
	err = r.observe(ctx, func(ctx context.Context, q step.Tx, state State) error {
		base, err := r.planner.findBaseline(ctx, q, state)
		if err != nil {
			return err
		}
		if err := r.refuseElsewhere(ctx, q, state, base); err != nil {
			return err
		}
		if base.drift, err = r.drift(ctx, q, base); err != nil {
			return err
		}
		if base.version > 0 {
			if base.tables, err = r.engine.sizes(ctx, q, r.options.Bundle.Tables()); err != nil {
				return err
			}
		}
		p, err := r.planner.plan(state, base)
		if err != nil {
			return err
		}
		out = p
		if p.forbidden != nil {
			p.checks = nil // nothing will run
		}
		if len(p.checks) == 0 || len(p.repair.Additions) > 0 {
			return nil // what is to be checked may be missing until it is added
		}
		return runChecks(ctx, q, r.engine.dialect(), r.options.Steps, p.checks)
	})
	return out, err
}

// refuseElsewhere refuses to begin anew where nothing is, when the application
// would find its tables: in another schema of the search path that the URL or the
// role gives it. Who names a schema other than the default one means it.
func (r *Runner) refuseElsewhere(ctx context.Context, q step.Tx, state State, base baseline) error {
	if q == nil || base.version > 0 || state.Managed || r.options.Schema != DefaultSchema {
		return nil
	}
	tables := append(r.options.Bundle.Tables(), tableAlembic, tablePeewee)
	schema, found, err := r.engine.elsewhere(ctx, q, tables)
	if err != nil || schema == "" {
		return err
	}
	e := permanent(result.ReasonUnknownDatabase,
		"the schema %q is empty, but the schema %q, which is in the search path of the URL or of the role, has tables of the application: %s; name the schema with --schema, or spec.database.schema, or take it out of the search path",
		r.options.Schema, schema, strings.Join(found, ", "))
	e.Failure.Found = []string{"schema " + schema + ": " + strings.Join(found, ", ")}
	return e
}

// drift returns how a managed database differs from what its revision leaves.
func (r *Runner) drift(ctx context.Context, q step.Tx, base baseline) ([]string, error) {
	if base.adopt || base.version == 0 || r.options.Drift == DriftIgnore || r.options.Catalogs == nil {
		return nil, nil
	}
	difference, _, err := r.options.Catalogs.Compare(ctx, q, r.engine.dialect(), r.options.Schema, base.version, base.birth)
	if err != nil {
		return nil, fmt.Errorf("comparing the catalog: %w", err)
	}
	return difference.Drift(), nil
}

// run is the course of one call of Run.
type run struct {
	*Runner
	began  time.Time
	result result.Result
	// failing is when the run first failed since it got anywhere, and occupied
	// when it first met others in the database; zero where it has not.
	failing, occupied time.Time
	// contacted says that the database has been read once.
	contacted bool
	// doubt is the error of a COMMIT that nobody knows the outcome of, and birth
	// the database's if it took effect; nil once the database has been read again.
	doubt error
	birth bundle.Birth
}

// Run migrates the database to the target. The result is meaningful in every
// case; the error, if any, is an *Error and says the same for people. What the
// result calls applied is committed; everything else is rolled back.
func (r *Runner) Run(ctx context.Context) (result.Result, error) {
	c := &run{Runner: r, began: time.Now(), result: result.Result{Target: r.target}}
	return c.end(c.explainDoubt(r.explain(ctx, c.loop(ctx))))
}

// explainDoubt says that a transaction may have been committed, whatever kept
// the run from finding out. Otherwise the result would claim the revision before
// it, and pods would be let in that fail against the one after it.
func (c *run) explainDoubt(err error) error {
	if err == nil || c.doubt == nil {
		return err
	}
	// The birth tells whoever reads the result that a database was worked on, also
	// where it was empty before.
	c.result.Birth = string(c.birth)
	e := classify(err)
	if e.Reason == result.ReasonInterrupted {
		return e // It counts for as much.
	}
	return &Error{
		Outcome: result.Transient, Reason: result.ReasonUnreachable, Failure: e.Failure,
		Message: "the connection was lost in a commit, and whether it took effect could not be read: migrate again",
		Err:     errors.Join(c.doubt, err),
	}
}

// end completes the result.
func (c *run) end(err error) (result.Result, error) {
	c.result.Kind = result.Kind
	c.result.DurationSeconds = time.Since(c.began).Round(time.Millisecond).Seconds()
	if revision, ok := c.options.Bundle.Revision(c.result.To); ok {
		c.result.ID, c.result.AppVersion = revision.ID, revision.App.String()
	}
	if err == nil {
		c.result.Outcome = result.Done
		return c.result, nil
	}
	e := classify(err)
	c.result.Outcome, c.result.Reason = e.Outcome, e.Reason
	failure := e.Failure
	c.result.Failure = &failure
	return c.result, e
}

// loop plans and migrates until there is nothing left to do. Every turn begins
// by reading the database again: after a lost connection, or when another
// runner was faster, only the database knows where it stands.
func (c *run) loop(ctx context.Context) error {
	for turn := 0; ; turn++ {
		done, err := c.turn(ctx, turn)
		if done || err != nil && !c.mayRetry(ctx, err) {
			return err
		}
		if err == nil {
			continue
		}
		e := classify(err)
		c.options.Report(Event{Kind: EventWaiting, Err: e})
		if err := wait(ctx, backoff(turn)); err != nil {
			return err
		}
	}
}

// The pauses between turns double from the first to the second.
const (
	backoffMin = 50 * time.Millisecond
	backoffMax = 5 * time.Second
)

func backoff(turn int) time.Duration {
	pause := backoffMax
	if turn < 7 {
		pause = min(backoffMin<<turn, backoffMax)
	}
	return jitter(pause)
}

// mayRetry reports whether another turn makes sense. The first contact with a
// server is not repeated: what is wrong with it will not mend by itself.
func (c *run) mayRetry(ctx context.Context, err error) bool {
	e := classify(err)
	if ctx.Err() != nil || !retriable(e) || !c.contacted && e.Outcome == result.Transient {
		return false
	}
	if e.Reason == result.ReasonDatabaseInUse {
		return within(&c.occupied, min(c.options.RetryTimeout, fenceRetryTimeout))
	}
	return within(&c.failing, c.options.RetryTimeout)
}

// within reports whether a time, which is now if it is not set yet, is no longer
// ago than a limit.
func within(since *time.Time, limit time.Duration) bool {
	if since.IsZero() {
		*since = time.Now()
	}
	return time.Since(*since) <= limit
}

// advanced notes that the database has moved: what failed before counts no more.
func (c *run) advanced() { c.failing, c.occupied = time.Time{}, time.Time{} }

// turn plans once and carries the plan out.
func (c *run) turn(ctx context.Context, turn int) (done bool, err error) {
	p, err := c.prepare(ctx)
	if p != nil {
		c.contacted = true
		c.observed(p, turn)
	}
	if err != nil {
		return false, err
	}
	if turn == 0 {
		c.options.Report(Event{Kind: EventPlanned, Total: int64(len(p.plan.Steps))})
	}
	if p.forbidden != nil || len(p.work.units) == 0 && !p.plan.Adopt && !p.writeOwner {
		return true, p.forbidden
	}
	if err := c.open(ctx, true); err != nil {
		return false, err
	}
	if err = c.carryOut(ctx, p); errors.As(err, new(*commitError)) {
		c.doubt, c.birth = err, p.plan.Birth
	}
	return false, err
}

func (c *run) carryOut(ctx context.Context, p *planned) error {
	switch {
	case p.plan.Adopt:
		return c.adopt(ctx, p)
	case len(p.work.units) == 0:
		return c.record(ctx, p, nil)
	}
	return c.apply(ctx, p)
}

// observed notes where the database stands.
func (c *run) observed(p *planned, turn int) {
	if turn == 0 {
		c.result.From = p.plan.From
	}
	c.doubt = nil
	if c.result.To != p.plan.From {
		c.advanced()
	}
	c.result.To = p.plan.From
	if p.plan.From > 0 {
		c.result.Birth = string(p.plan.Birth)
	}
	c.result.Tables = p.plan.Tables
	c.result.Drift = nil
	if n := len(p.plan.Drift); n > 0 {
		c.result.Drift = &result.Drift{Count: n, Differences: p.plan.Drift}
	}
}

// adopt records the revision that the application has brought the database to,
// after adding what it lacks of it.
func (c *run) adopt(ctx context.Context, p *planned) error {
	revision, _ := c.options.Bundle.Revision(p.plan.From)
	statements := append(writeVersion(revision.Version), writeHistory(historyRow{
		revision: revision.Version, id: revision.ID, direction: adopt, birth: string(p.plan.Birth),
		app: revision.App.String(), schemagate: c.options.Version,
	}))
	before := p.state.tracked()
	if len(p.state.Alembic) > 1 {
		statements = append(statements, "DELETE FROM "+tableAlembic)
	}
	want := trackingAt(c.options.Bundle, p.plan.Birth, p.plan.From)
	if want.peewee == nil && len(before.peewee) == 0 {
		want.peewee = before.peewee // an empty table is none to Peewee either
	}
	statements = append(statements, writeTracking(c.engine.dialect(), before, want)...)
	if err := c.record(ctx, p, statements); err != nil {
		return err
	}
	c.result.AdoptedAt = revision.Version
	c.options.Report(Event{Kind: EventAdopted, Revision: revision.Version, ID: revision.ID})
	return nil
}

// mend adds what an adopted database lacks, makes sure that it lacks nothing
// then, and runs the checks, which could not run before.
func (c *run) mend(ctx context.Context, tx transaction, p *planned) error {
	if len(p.repair.Additions) == 0 {
		return nil
	}
	if err := tx.setAside(ctx); err != nil {
		return err
	}
	for _, a := range p.repair.Additions {
		if len(a.SQL) == 0 {
			continue
		}
		if err := tx.script(ctx, a.SQL); err != nil {
			return fmt.Errorf("adding what is missing: %s: %w", a.Object, err)
		}
	}
	difference, _, err := c.options.Catalogs.Compare(ctx, tx, c.engine.dialect(), c.options.Schema, p.plan.From, p.plan.Birth)
	if left := difference.Drift(); err == nil && len(left) > 0 {
		e := permanent(result.ReasonCatalogDiffers, "the database is not mended by adding what is missing:\n  %s", strings.Join(left, "\n  "))
		e.Failure.Revision, e.Failure.Found = p.plan.From, left
		err = e
	}
	if err != nil {
		return err
	}
	return runChecks(ctx, tx, c.engine.dialect(), c.options.Steps, p.checks)
}

// record writes bookkeeping without running a revision, if the database is
// still as it was when the plan was made.
func (c *run) record(ctx context.Context, p *planned, statements []string) (err error) {
	tx, err := c.engine.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.rollback(ctx)) }()
	state, err := readState(ctx, c.engine, tx)
	if err != nil {
		return err
	}
	if !state.same(p.state) {
		return errStale
	}
	if err := c.mend(ctx, tx, p); err != nil {
		return err
	}
	if !state.Managed {
		statements = append(createBookkeeping(c.engine.dialect()), statements...)
	}
	if p.writeOwner {
		statements = append(statements, writeOwner(c.options.Owner)...)
	}
	return tx.commit(ctx, statements)
}

// apply runs the units of a plan under golang-migrate.
func (c *run) apply(ctx context.Context, p *planned) (err error) {
	// golang-migrate has no context and leaves goroutines behind when it fails;
	// this one ends both.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	source := p.source
	source.gate = newSourceGate(ctx)
	if c.wrapSource != nil {
		c.wrapSource(&source)
	}
	database := &planDriver{
		ctx: ctx, engine: c.engine, work: &p.work, steps: c.options.Steps, source: source.gate,
		fence: c.options.Fence, report: c.options.Report, schemagate: c.options.Version,
	}
	m, err := gomigrate.NewWithInstance(c.options.Bundle.Name, &source, string(c.engine.dialect()), database)
	if err != nil {
		return err
	}
	m.PrefetchMigrations = uint(len(p.work.units)) + 1 // its reader never waits for us
	m.LockTimeout = lockForever                        // Lock returns at once; the real one has its own deadline

	defer func() { c.applied(database, p) }()
	if p.plan.To == 0 {
		err = m.Down()
	} else {
		err = m.Migrate(uint(p.plan.To))
	}
	switch {
	case errors.Is(err, gomigrate.ErrNoChange), err == nil && database.next < len(p.work.units):
		// The version moved between the plan and golang-migrate's own look at
		// it, or golang-migrate stopped and calls that a success.
		return errStale
	case err != nil && errors.As(err, new(gomigrate.ErrDirty)):
		return errStale // the next plan says what is wrong
	case err != nil && database.next < len(p.work.units) && errors.Is(err, errNotPlanned):
		return errStale
	}
	return err
}

const lockForever = 365 * 24 * time.Hour

// applied notes what was committed.
func (c *run) applied(d *planDriver, p *planned) {
	if d.committed == 0 {
		return
	}
	c.advanced()
	c.result.Applied += d.committed
	c.result.To = p.work.units[d.committed-1].to
	c.result.Birth = string(p.plan.Birth)
}

// String names the runner's database for people, without credentials.
func (r *Runner) String() string {
	if r.options.Database.Engine == dburl.SQLite {
		return r.options.Database.String()
	}
	return fmt.Sprintf("%s, schema %s", r.options.Database, r.options.Schema)
}

// Target returns the revision that the target stands for; its Version is 0 for
// the empty database.
func (r *Runner) Target() bundle.Revision {
	revision, _ := r.options.Bundle.Revision(r.target)
	return revision
}
