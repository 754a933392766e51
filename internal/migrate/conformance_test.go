package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	gomigrate "github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	dtesting "github.com/golang-migrate/migrate/v4/database/testing"

	"github.com/schemagate/schemagate/internal/migrate/script"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// adapter lets golang-migrate's own suite drive planDriver. The suite calls the
// methods in any order, keeps a dirty version across calls and drops the
// database, none of which planDriver allows; the adapter makes a plan on the
// fly for every call, and does what production code must not.
type adapter struct {
	*planDriver
	p place
}

func newAdapter(t *testing.T, p place) *adapter {
	t.Helper()
	b, files := bundleOf(t, chain(1)...)
	r, err := New(p.options(t, b, files, "1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.open(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return &adapter{p: p, planDriver: &planDriver{
		ctx: t.Context(), engine: r.engine, work: &work{birth: "alembic"}, source: newSourceGate(t.Context()), report: func(Event) {},
	}}
}

// fromNil is a version as this package counts.
func fromNil(version int) int { return max(version, 0) }

// replan makes a plan of one unit that leads to a version.
func (a *adapter) replan(version int, body string) error {
	if err := a.abort(); err != nil {
		return err
	}
	have, dirty, err := a.planDriver.Version()
	if err != nil {
		return err
	}
	parsed, err := script.Parse(body, a.engine.dialect())
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(body))
	u := unit{
		revision: 1, id: "x", direction: Up, from: fromNil(have), to: fromNil(version), file: "suite",
		body: body, sha256: hex.EncodeToString(sum[:]), script: parsed,
	}
	bookkeeping, expect := false, fingerprint{}
	err = a.engine.snapshot(a.ctx, func(ctx context.Context, q step.Tx) error {
		facts, err := a.engine.inspect(ctx, q)
		if err != nil || !facts.has(tableHistory) {
			return err
		}
		bookkeeping = true
		expect, err = readFingerprint(ctx, q, false)
		return err
	})
	expect.dirty = dirty
	a.work = &work{units: []unit{u}, birth: "alembic", bookkeeping: bookkeeping, expect: expect}
	a.next, a.source = 0, newSourceGate(a.ctx)
	return err
}

// SetVersion begins, or ends what was begun for the same version.
func (a *adapter) SetVersion(version int, dirty bool) error {
	if !dirty && a.tx != nil && a.work.units[a.next].to == fromNil(version) {
		a.ran = true
		return a.planDriver.SetVersion(version, false)
	}
	if err := a.replan(version, ""); err != nil {
		return err
	}
	if err := a.planDriver.SetVersion(version, true); err != nil || dirty {
		return err
	}
	a.ran = true
	return a.planDriver.SetVersion(version, false)
}

// Version must not see a transaction that the suite has forgotten to end as the
// version that it would lead to, but as a dirty one.
func (a *adapter) Version() (int, bool, error) {
	if a.tx != nil {
		return orNil(a.work.units[a.next].to), true, nil
	}
	return a.planDriver.Version()
}

// Run runs a body on its own, as the suite does.
func (a *adapter) Run(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	target := 1
	if a.tx != nil {
		target = a.work.units[a.next].to
	}
	if err := a.replan(target, string(body)); err != nil {
		return err
	}
	if err := a.planDriver.SetVersion(target, true); err != nil {
		return err
	}
	if err := a.planDriver.Run(strings.NewReader(string(body))); err != nil {
		return err
	}
	if a.locked { // under golang-migrate, which calls SetVersion itself
		return nil
	}
	return a.planDriver.SetVersion(target, false)
}

// Drop empties the database behind the driver's back.
func (a *adapter) Drop() error {
	if err := a.planDriver.Drop(); !errors.Is(err, errNoDrop) {
		return errors.New("the driver drops databases")
	}
	if a.engine.dialect() == step.SQLite {
		return nil
	}
	_, err := a.p.db.ExecContext(a.ctx, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	return err
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			a := newAdapter(t, p)
			dtesting.TestNilVersion(t, a)
			dtesting.TestLockAndUnlock(t, a)
			dtesting.TestRun(t, a, strings.NewReader("CREATE TABLE suite (id integer);\nINSERT INTO suite VALUES (1);"))
			p.want(t, "SELECT count(*) FROM suite", "1")
			dtesting.TestSetVersion(t, a)
			dtesting.TestDrop(t, a)
		})
	}
}

func TestConformanceWhole(t *testing.T) {
	t.Parallel()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			dtesting.Test(t, newAdapter(t, p), []byte("CREATE TABLE suite (id integer);"))
		})
	}
}

func TestConformanceUnderMigrate(t *testing.T) {
	t.Parallel()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			a := newAdapter(t, p)
			source := &planSource{
				revisions: []int{1, 2}, up: map[int]string{1: "CREATE TABLE suite (id integer);", 2: "INSERT INTO suite VALUES (1);"}, gate: openGate(t),
			}
			m, err := gomigrate.NewWithInstance("suite", source, string(a.engine.dialect()), a)
			if err != nil {
				t.Fatal(err)
			}
			dtesting.TestMigrateUp(t, m)
			p.want(t, "SELECT count(*) FROM suite", "1")
			p.want(t, "SELECT version FROM schema_migrations", "2")
			dtesting.TestMigrateDrop(t, m)
		})
	}
}

// openGate is a gate that holds nothing back.
func openGate(t *testing.T) *sourceGate {
	t.Helper()
	g := newSourceGate(t.Context())
	for i := range 10 {
		g.open(i)
	}
	return g
}

func TestDriverRefusesWhatIsNotPlanned(t *testing.T) {
	t.Parallel()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := open(t)

			a := newAdapter(t, p)
			if err := a.replan(1, "CREATE TABLE suite (id integer);"); err != nil {
				t.Fatal(err)
			}
			d := a.planDriver
			for name, call := range map[string]func() error{
				"another version":              func() error { return d.SetVersion(2, true) },
				"no version":                   func() error { return d.SetVersion(database.NilVersion, true) },
				"a body out of turn":           func() error { return d.Run(strings.NewReader("CREATE TABLE suite (id integer);")) },
				"the end before the beginning": func() error { return d.SetVersion(1, false) },
				"dropping":                     func() error { return d.Drop() },
				"opening":                      func() error { _, err := d.Open("postgres://"); return err },
				"unlocking twice":              func() error { return d.Unlock() },
			} {
				if err := call(); err == nil {
					t.Errorf("%s: no error", name)
				}
			}
			// A revision whose file never ran is not recorded.
			if err := d.Lock(); err != nil {
				t.Fatal(err)
			}
			if err := d.SetVersion(1, true); err != nil {
				t.Fatal(err)
			}
			if err := d.SetVersion(1, false); !errors.Is(err, errNotPlanned) {
				t.Errorf("recording what did not run returned %v", err)
			}
			if err := d.Unlock(); err != nil {
				t.Fatal(err)
			}
			if version, dirty, err := d.Version(); version != database.NilVersion || dirty || err != nil {
				t.Errorf("after the rollback: version %d, dirty %t, %v", version, dirty, err)
			}
		})
	}
}
