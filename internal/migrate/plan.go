package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/script"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Plan is what a run would do.
type Plan struct {
	// From is the applied revision, or the one at which the database is adopted
	// first; To is the target. 0 is an empty database.
	From, To int
	// NoFile says that there is no database file, which counts as an empty
	// database.
	NoFile bool
	// Birth is the database's origin, recorded or to be.
	Birth bundle.Birth
	// Adopt says that the database is adopted at From.
	Adopt bool
	// Stamp is the revision that the application's own tables tell when the
	// database is adopted, 0 if they tell none that is known. They say From
	// afterwards.
	Stamp int
	// Additions are the objects that are added when it is adopted, because it
	// lacks them.
	Additions []string
	// Extra are the objects that nothing is known about, and that are left alone.
	// They are looked at when a database is adopted.
	Extra []string
	// Drift is how the database differs from what its revision leaves; nothing
	// where Options.Drift says that nothing is compared.
	Drift []string
	// Tables are the largest of those that revisions of the bundle touch.
	Tables []result.Table
	// OneTransaction says that all steps commit together.
	OneTransaction bool
	// Steps are the revisions to run, in order.
	Steps []PlanStep
}

// PlanStep is one revision to run.
type PlanStep struct {
	Revision  bundle.Revision
	Direction Direction
	// File is the name of the file, SHA256 its checksum.
	File   string
	SHA256 string
	// NoTransaction says that the file runs outside a transaction.
	NoTransaction bool
}

// planned is a plan with what is needed to carry it out.
type planned struct {
	plan   Plan
	state  State
	repair catalog.Repair
	work   work
	source planSource
	checks []check
	// forbidden says why the plan must not be carried out; nil when it may.
	forbidden error
	// writeOwner says that the owner row changes.
	writeOwner bool
}

// planner computes plans; it does no I/O but reads the bundle's files.
type planner struct {
	options *Options
	engine  bundle.Engine
	target  int
	// expected is the revision that the caller expects, nil for any.
	expected *int
	// adoptAt is the revision at which the caller wants a database adopted, 0 for
	// the one it is at.
	adoptAt int
}

// baseline is where a plan begins.
type baseline struct {
	version int
	birth   bundle.Birth
	adopt   bool

	// What follows is set for a database to be adopted.
	stamp  int
	repair catalog.Repair
	extra  []string

	// drift is looked at in a managed database.
	drift []string

	tables []result.Table
}

// plan decides what to do with a database. base is where it stands.
func (p *planner) plan(state State, base baseline) (*planned, error) {
	files, err := p.files(base.birth)
	if err != nil {
		return nil, err
	}
	if state.Managed && state.Version > 0 && !base.adopt {
		if err := state.check(p.options.Bundle, files); err != nil {
			return nil, err
		}
		if err := p.checkTracking(state, base); err != nil {
			return nil, err
		}
	}
	out := &planned{state: state, repair: base.repair, plan: Plan{
		From: base.version, To: p.target, NoFile: state.NoFile, Birth: base.birth, Adopt: base.adopt, Stamp: base.stamp, Extra: base.extra, Drift: base.drift, Tables: base.tables,
	}}
	for _, a := range base.repair.Additions {
		if !slices.Contains(out.plan.Additions, a.Object) {
			out.plan.Additions = append(out.plan.Additions, a.Object)
		}
	}
	if out.writeOwner, err = decideOwner(state.Owner, p.options.Owner, p.options.TakeOwnership); err != nil {
		return nil, err
	}
	if err := p.checkDirection(base); err != nil {
		return nil, err
	}
	if out.work.units, err = p.units(files, base); err != nil {
		return nil, err
	}
	p.finish(out, files)
	out.forbidden = p.forbid(out)
	return out, nil
}

// forbid says what the caller does not want done, if the plan would do it.
func (p *planner) forbid(out *planned) error {
	from := out.plan.From
	if p.expected != nil && (from < min(*p.expected, p.target) || from > max(*p.expected, p.target)) {
		return refused(result.ReasonUnexpectedRevision,
			"the database is at revision %d, and neither at revision %d nor on the way from there to %d: plan again", from, *p.expected, p.target)
	}
	if p.target < from && !p.options.AllowDowngrade {
		return refused(result.ReasonDowngrade,
			"the database is at revision %d and the target is %d: a downgrade can lose data and needs --allow-downgrade", from, p.target)
	}
	if out.state.Empty() {
		return nil // there is nobody to fence off and nothing to destroy
	}
	if err := p.forbidDrift(out.plan); err != nil {
		return err
	}
	for _, s := range out.plan.Steps {
		var reason result.Reason
		switch {
		case s.Direction != Up:
			continue
		case p.options.RefuseFencing && s.Revision.Label.Fencing():
			reason = result.ReasonFencing
		case p.options.RefuseDestructive && s.Revision.Destructive:
			reason = result.ReasonDestructive
		default:
			continue
		}
		e := refused(reason, "revision %d is %s, destructive: %t, and the caller refuses that", s.Revision.Version, s.Revision.Label, s.Revision.Destructive)
		e.Failure.Revision, e.Failure.Direction = s.Revision.Version, string(Up)
		return e
	}
	return nil
}

// forbidDrift refuses to migrate a database that has drifted, where the caller
// does not want that.
func (p *planner) forbidDrift(plan Plan) error {
	if p.options.Drift != DriftBlock || len(plan.Drift) == 0 || len(plan.Steps) == 0 {
		return nil
	}
	e := refused(result.ReasonDrifted, "the database is not what revision %d leaves, and the caller refuses to migrate it:\n  %s",
		plan.From, strings.Join(plan.Drift, "\n  "))
	e.Failure.Revision, e.Failure.Found = plan.From, plan.Drift
	return e
}

// files reads the files for a birth. Those that end in a gap are good as far
// as they go; whether they reach the target is looked at later.
func (p *planner) files(birth bundle.Birth) (bundle.Files, error) {
	files, err := p.options.Bundle.Files(p.options.Files, p.engine, birth)
	if err != nil {
		if missing, ok := errors.AsType[*bundle.MissingFileError](err); ok {
			e := &Error{Outcome: result.Permanent, Reason: result.ReasonFileMissing, Err: err}
			e.Failure.Revision, e.Failure.Direction = missing.Version, string(missing.Direction)
			return files, e
		}
		return files, &Error{Outcome: result.Permanent, Reason: result.ReasonBundleInvalid, Message: "the bundle cannot be used", Err: err}
	}
	return files, nil
}

// checkTracking compares the application's own tables with what this package
// left in them.
func (p *planner) checkTracking(state State, base baseline) error {
	want := trackingAt(p.options.Bundle, base.birth, base.version)
	if state.tracked().equal(want) && len(state.Alembic) < 2 {
		return nil
	}
	e := permanent(result.ReasonVersionChangedByOthers,
		"the application's own version tables are not those of revision %d: it has migrated its database by itself since", base.version)
	e.Failure.Found = describeTracking(state)
	return e
}

func (p *planner) checkDirection(base baseline) error {
	spec, _ := p.options.Bundle.Birth(base.birth)
	switch {
	case p.target != 0 && p.target < spec.First:
		return usage(result.ReasonUnknownTarget,
			"revision %d does not exist for a database of birth %s, which begins with revision %d", p.target, base.birth, spec.First)
	case p.options.Birth != BirthAuto && base.version > 0 && bundle.Birth(p.options.Birth) != base.birth:
		return usage(result.ReasonInvalidOption, "the database is of birth %s, which cannot be changed", base.birth)
	}
	return nil
}

// units returns the revisions between the baseline and the target.
func (p *planner) units(files bundle.Files, base baseline) ([]unit, error) {
	spec, _ := p.options.Bundle.Birth(base.birth)
	var out []unit
	if p.target >= base.version {
		if err := files.Require(p.target); err != nil {
			return nil, missingFile(err, p.target, Up)
		}
		for version := max(base.version+1, spec.First); version <= p.target; version++ {
			u, err := p.unit(files, base, version, Up, spec.First)
			if err != nil {
				return nil, err
			}
			out = append(out, u)
		}
		return out, nil
	}
	if err := files.Require(base.version); err != nil {
		return nil, missingFile(err, base.version, Down)
	}
	for version := base.version; version > p.target && version >= spec.First; version-- {
		u, err := p.unit(files, base, version, Down, spec.First)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func missingFile(err error, version int, direction Direction) error {
	e := &Error{Outcome: result.Permanent, Reason: result.ReasonFileMissing, Err: err}
	e.Failure.Revision, e.Failure.Direction = version, string(direction)
	return e
}

func (p *planner) unit(files bundle.Files, base baseline, version int, direction Direction, first int) (unit, error) {
	revision, _ := p.options.Bundle.Revision(version)
	both, _ := files.Revision(version)
	before := version - 1
	if version == first {
		before = 0
	}
	u := unit{
		revision: version, id: revision.ID, app: revision.App.String(), direction: direction,
		from: before, to: version, touches: revision.Touches,
		checksumUp: both.Up.SHA256, checksumDown: both.Down.SHA256,
	}
	file := both.Up
	if direction == Down {
		u.from, u.to, file = version, before, both.Down
	}
	u.fenced = p.options.Fence != nil && (direction == Down || revision.Label.Fencing())
	u.file, u.body, u.sha256 = file.Name, string(file.Body), file.SHA256
	u.tracking = trackingAt(p.options.Bundle, base.birth, u.to)
	parsed, err := script.Parse(u.body, step.Dialect(p.engine))
	if err != nil {
		return unit{}, invalidFile(&u, err)
	}
	u.script = parsed
	for _, part := range parsed.Parts {
		if part.Step != "" && p.options.Steps.Steps[part.Step] == nil {
			return unit{}, invalidFile(&u, &script.Error{Line: part.Line, Problem: "the step " + part.Step + " is not part of this program"})
		}
	}
	return u, nil
}

func invalidFile(u *unit, err error) error {
	e := &Error{Outcome: result.Permanent, Reason: result.ReasonBundleInvalid, Message: u.file, Err: err}
	e.Failure.Revision, e.Failure.Direction = u.revision, string(u.direction)
	if at, ok := errors.AsType[*script.Error](err); ok {
		e.Failure.Line = at.Line
	}
	return e
}

// finish completes what follows from the units.
func (p *planner) finish(out *planned, files bundle.Files) {
	w := &out.work
	w.birth = string(out.plan.Birth)
	w.single = out.state.Empty() && !slices.ContainsFunc(w.units, func(u unit) bool { return u.script.NoTransaction })
	w.before = out.state.tracked()
	w.bookkeeping = out.state.Managed
	w.expect = out.state.fingerprint(w.before.alembic)
	if out.writeOwner {
		w.owner, w.clearOwner = p.options.Owner, p.options.Owner == nil
	}
	out.plan.OneTransaction = w.single && len(w.units) > 0
	p.assignChecks(out)
	out.source = planSource{up: map[int]string{}, down: map[int]string{}}
	for _, r := range files.Revisions {
		out.source.revisions = append(out.source.revisions, r.Version)
	}
	for _, u := range w.units {
		revision, _ := p.options.Bundle.Revision(u.revision)
		out.plan.Steps = append(out.plan.Steps, PlanStep{
			Revision: revision, Direction: u.direction, File: u.file, SHA256: u.sha256, NoTransaction: u.script.NoTransaction,
		})
		if u.direction == Up {
			out.source.up[u.revision] = u.body
		} else {
			out.source.down[u.revision] = u.body
		}
	}
}

// assignChecks divides the preflight checks of the revisions to apply: those
// that can run now run first, the others when their revision's turn has come,
// in its transaction. An empty database has nothing to check.
func (p *planner) assignChecks(out *planned) {
	if out.plan.From == 0 {
		return
	}
	for i := range out.work.units {
		u := &out.work.units[i]
		if u.direction != Up {
			continue
		}
		revision, _ := p.options.Bundle.Revision(u.revision)
		for _, c := range revision.Preflight {
			ready := check{Check: c, revision: u.revision, engine: p.engine}
			if c.Since <= out.plan.From {
				out.checks = append(out.checks, ready)
			} else {
				u.checks = append(u.checks, ready)
			}
		}
	}
}

// describeTracking lists the application's own version tables.
func describeTracking(s State) []string {
	var out []string
	if s.Peewee != nil {
		out = append(out, fmt.Sprintf("%s: %d rows", tablePeewee, len(s.Peewee)))
		if n := len(s.Peewee); n > 0 {
			out = append(out, tablePeewee+" ends with "+s.Peewee[n-1])
		}
	}
	for _, id := range s.Alembic {
		out = append(out, tableAlembic+": "+id)
	}
	return out
}
