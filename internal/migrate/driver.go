package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/golang-migrate/migrate/v4/database"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// planDriver is golang-migrate's view of a database. golang-migrate decides the
// order of the calls; what they mean comes from the plan, which is handed over
// when the driver is made, because the interface has no room for it.
//
// The "dirty" version that golang-migrate sets before it runs a revision is an
// open transaction here: it is never stored.
type planDriver struct {
	ctx    context.Context // golang-migrate's interface has no context
	engine engine
	work   *work
	steps  step.Set
	source *sourceGate
	fence  *Fence // nil where nobody is looked for
	report func(Event)
	// schemagate is the version of this program, for the history.
	schemagate string

	locked  bool
	next    int // index of the next unit
	tx      transaction
	started time.Time
	pending []Event // to report once the transaction is committed
	ran     bool    // the unit's file has been executed
	// committed counts units whose transaction is known to have committed.
	committed int
}

var _ database.Driver = (*planDriver)(nil)

var (
	errNotPlanned = errors.New("golang-migrate asked for something that is not in the plan")
	errNoDrop     = errors.New("dropping a database is not supported")
	errNoOpen     = errors.New("the driver cannot be opened by URL")
)

// Open implements database.Driver. The driver is made by the runner only.
func (d *planDriver) Open(string) (database.Driver, error) { return nil, errNoOpen }

// Close implements database.Driver. The engine belongs to the runner.
func (d *planDriver) Close() error { return nil }

// Drop implements database.Driver and refuses: no path of this program may end
// there.
func (d *planDriver) Drop() error { return errNoDrop }

// Lock implements database.Driver. The lock proper is taken by the transaction
// of each revision, so that it cannot outlive it.
func (d *planDriver) Lock() error {
	if d.locked {
		return database.ErrLocked
	}
	d.locked = true
	return d.ctx.Err()
}

// Unlock implements database.Driver. golang-migrate also calls it after an
// error and after a graceful stop, so an open transaction here is one that
// must not take effect.
func (d *planDriver) Unlock() error {
	if !d.locked {
		return database.ErrNotLocked
	}
	d.locked = false
	return d.abort()
}

func (d *planDriver) abort() error {
	tx := d.tx
	d.tx, d.pending, d.ran = nil, nil, false
	if tx == nil {
		return nil
	}
	return tx.rollback(d.ctx)
}

// Version implements database.Driver. During a transaction it is the version
// that the transaction leads to.
func (d *planDriver) Version() (version int, dirty bool, err error) {
	if d.tx != nil {
		return orNil(d.work.units[d.next].to), true, nil
	}
	var have fingerprint
	err = d.engine.snapshot(d.ctx, func(ctx context.Context, q step.Tx) error {
		facts, err := d.engine.inspect(ctx, q)
		if err != nil || !facts.has(tableVersion) || !facts.has(tableHistory) || !facts.has(tableOwner) {
			return err
		}
		have, err = readFingerprint(ctx, q, false)
		return err
	})
	return orNil(have.version), have.dirty, err
}

// orNil is the version as golang-migrate counts: an empty database is -1.
func orNil(version int) int {
	if version == 0 {
		return database.NilVersion
	}
	return version
}

// SetVersion implements database.Driver: dirty begins the next unit of the
// plan, clean ends it.
func (d *planDriver) SetVersion(version int, dirty bool) error {
	if d.next >= len(d.work.units) || version != orNil(d.work.units[d.next].to) {
		return errNotPlanned
	}
	if dirty {
		return d.begin(&d.work.units[d.next])
	}
	return d.finish(&d.work.units[d.next])
}

func (d *planDriver) begin(u *unit) error {
	if d.tx == nil {
		if err := d.open(u); err != nil {
			return err
		}
	}
	d.started = time.Now()
	d.ran = false
	d.report(Event{Kind: EventStarted, Revision: u.revision, Direction: u.direction, ID: u.id, File: u.file})
	if u.fenced && !d.work.single {
		if err := d.tx.fence(d.ctx, *d.fence); err != nil {
			return &fileError{unit: u, err: err}
		}
	}
	if !d.work.single { // nobody uses the tables of an empty database
		if err := d.tx.lockTables(d.ctx, u.touches); err != nil {
			return d.blocked(&fileError{unit: u, err: fmt.Errorf("locking tables: %w", err)})
		}
	}
	if err := d.tx.setAside(d.ctx); err != nil {
		return &fileError{unit: u, err: err}
	}
	if err := runChecks(d.ctx, d.tx, d.engine.dialect(), d.steps, u.checks); err != nil {
		return err
	}
	d.source.open(u.revision)
	return nil
}

// open begins a transaction and looks at the database again under its lock.
func (d *planDriver) open(u *unit) (err error) {
	begin := d.engine.begin
	if u.script.NoTransaction {
		begin = d.engine.beginSession
	}
	tx, err := begin(d.ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.rollback(d.ctx))
		}
	}()
	if !d.work.bookkeeping {
		// Created here rather than at the end, so that two runners that both
		// found an empty database read the same tables under the lock.
		if err := tx.script(d.ctx, createBookkeeping(d.engine.dialect())); err != nil {
			return fmt.Errorf("creating the version tables: %w", err)
		}
	}
	have, err := readFingerprint(d.ctx, tx, d.work.expect.alembic != "")
	if err != nil {
		return err
	}
	if have != d.work.expect {
		return errStale
	}
	d.tx = tx
	return nil
}

// Run implements database.Driver. golang-migrate only logs a source that
// cannot be read and hands over what it got until then, so nothing is executed
// that is not exactly what was planned.
func (d *planDriver) Run(migration io.Reader) error {
	if d.tx == nil || d.ran {
		return errNotPlanned
	}
	u := &d.work.units[d.next]
	body, err := io.ReadAll(io.LimitReader(migration, int64(len(u.body))+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", u.file, err)
	}
	sum := sha256.Sum256(body)
	if len(body) != len(u.body) || hex.EncodeToString(sum[:]) != u.sha256 {
		e := permanent(result.ReasonBodyMismatch, "%s: read %d bytes of %d, or others than planned; nothing was executed",
			u.file, len(body), len(u.body))
		e.Failure.Revision, e.Failure.Direction = u.revision, string(u.direction)
		return e
	}
	d.ran = true
	return d.execute(u)
}

func (d *planDriver) execute(u *unit) error {
	for _, part := range u.script.Parts {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		var err error
		if part.Step != "" {
			err = d.runStep(u, part.Step)
		} else {
			_, err = d.tx.ExecContext(d.ctx, part.SQL)
		}
		if err != nil {
			return d.blocked(&fileError{unit: u, line: errorLine(part.SQL, part.Line, err), step: part.Step, err: err})
		}
	}
	return nil
}

// runStep runs a Go step. A panic in it becomes an error: the transaction is
// rolled back, the result is written, and no stack with values of rows ends up
// in a log.
func (d *planDriver) runStep(u *unit, name string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the step panicked: %v", p)
		}
	}()
	fn, ok := d.steps.Steps[name]
	if !ok {
		return errors.New("the step is not part of this program")
	}
	run := step.NewRun(d.tx, d.engine.dialect(), func(done, total int64) {
		d.report(Event{Kind: EventProgress, Revision: u.revision, Direction: u.direction, ID: u.id, Step: name, Done: done, Total: total})
	})
	return fn(d.ctx, run)
}

// blocked adds to an error of a lock who held it, if anyone was seen.
func (d *planDriver) blocked(err error) error {
	if outcome, _ := classOf(err); outcome != result.Locked {
		return err
	}
	if blockers := d.tx.blockers(); len(blockers) > 0 {
		return &blockedError{blockers: blockers, err: err}
	}
	return err
}

// finish writes what the unit has led to, and commits unless further units
// belong to the same transaction.
func (d *planDriver) finish(u *unit) error {
	if d.tx == nil || !d.ran {
		return errNotPlanned
	}
	duration := time.Since(d.started)
	d.pending = append(d.pending, Event{
		Kind: EventApplied, Revision: u.revision, Direction: u.direction, ID: u.id, File: u.file, Duration: duration,
	})
	statements := d.bookkeeping(u, duration)
	last := d.next == len(d.work.units)-1
	if d.work.single && !last {
		if err := d.tx.script(d.ctx, statements); err != nil {
			return &fileError{unit: u, err: err}
		}
		d.advance(u)
		return nil
	}
	if err := d.tx.commit(d.ctx, statements); err != nil {
		return d.blocked(&fileError{unit: u, err: err})
	}
	d.tx = nil
	d.advance(u)
	for _, event := range d.pending {
		d.report(event)
	}
	d.committed += len(d.pending)
	d.pending = nil
	return nil
}

// bookkeeping returns the statements that record a unit.
func (d *planDriver) bookkeeping(u *unit, duration time.Duration) []string {
	before := d.work.before
	if d.next > 0 {
		before = d.work.units[d.next-1].tracking
	}
	out := append(writeVersion(u.to), writeHistory(historyRow{
		revision: u.revision, id: u.id, direction: u.direction, birth: d.work.birth,
		checksumUp: u.checksumUp, checksumDown: u.checksumDown, duration: duration,
		app: u.app, schemagate: d.schemagate,
	}))
	out = append(out, writeTracking(d.engine.dialect(), before, u.tracking)...)
	if d.work.owner != nil || d.work.clearOwner {
		out = append(out, writeOwner(d.work.owner)...)
	}
	return out
}

// advance moves on to the next unit and expects the database to be as this one
// left it.
func (d *planDriver) advance(u *unit) {
	expect := &d.work.expect
	expect.version, expect.alembic = u.to, u.tracking.alembic
	expect.rows++
	if d.work.owner != nil || d.work.clearOwner {
		expect.owner = d.work.owner.key()
		d.work.owner, d.work.clearOwner = nil, false
	}
	d.work.bookkeeping = true
	d.next++
}
