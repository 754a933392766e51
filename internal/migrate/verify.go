package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Verification is how a database differs from what its applied revision leaves.
type Verification struct {
	// Managed says that this package has migrated or adopted the database. Of
	// another one, Revision and Birth are those that it would be adopted at.
	Managed bool
	// Revision is the applied one; 0 is an empty database, with which nothing is
	// compared. Birth is the database's origin.
	Revision int
	Birth    bundle.Birth
	// Difference names what is missing, changed and there in addition.
	Difference catalog.Difference
	// Additions are the objects that Repair adds, and Refused says what keeps it
	// from doing so, a line each.
	Additions, Refused []string
	// Empty are notes on additions that a revision would have filled with rows,
	// which Repair does not bring back.
	Empty []string

	state  State
	repair catalog.Repair
}

// Drifted reports whether the database lacks something, or has it otherwise.
func (v Verification) Drifted() bool { return len(v.Difference.Drift()) > 0 }

// Verify compares the catalog of the database with the one that its applied
// revision leaves. It changes nothing. That there is no database file is an error:
// whoever watches for drift has to hear of it. The error is an *Error.
func (r *Runner) Verify(ctx context.Context) (Verification, error) {
	var out Verification
	err := r.observe(ctx, func(ctx context.Context, q step.Tx, state State) (err error) {
		out, err = r.verify(ctx, q, state)
		return err
	})
	return out, r.explain(ctx, err)
}

func (r *Runner) verify(ctx context.Context, q step.Tx, state State) (Verification, error) {
	if state.NoFile {
		return Verification{}, databaseMissing()
	}
	base, err := r.planner.findBaseline(ctx, q, state)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Managed: state.Managed && !base.adopt, Revision: base.version, Birth: base.birth, state: state}
	if base.version == 0 {
		return v, nil
	}
	if v.Managed {
		files, err := r.planner.files(base.birth)
		if err != nil {
			return v, err
		}
		if err := errors.Join(state.check(r.options.Bundle, files), r.planner.checkTracking(state, base)); err != nil {
			return v, err
		}
	}
	difference, known, err := r.options.Catalogs.Compare(ctx, q, r.engine.dialect(), r.options.Schema, base.version, base.birth)
	if err != nil {
		return v, fmt.Errorf("comparing the catalog: %w", err)
	}
	if !known {
		e := refused(result.ReasonCatalogDiffers, "this program has no catalog of revision %d to compare with", base.version)
		e.Failure.Revision = base.version
		return v, e
	}
	v.Difference = difference
	position, found, err := r.options.Catalogs.Locate(ctx, q, r.engine.dialect(), r.options.Schema, catalog.Question{
		Births: []bundle.Birth{base.birth}, Forced: base.version, Stamp: base.version,
		Adds: r.planner.adds([]bundle.Birth{base.birth}), Initial: r.planner.initial,
	})
	if err != nil || !found {
		return v, err
	}
	v.repair, v.Refused, v.Empty = position.Repair, position.Repair.Refused, position.Empty
	for _, a := range position.Repair.Additions {
		if !slices.Contains(v.Additions, a.Object) {
			v.Additions = append(v.Additions, a.Object)
		}
	}
	return v, nil
}

// Repair adds to a managed database what it lacks of its applied revision, in
// one transaction, and returns what it found before. It never drops or alters
// anything: where that would be needed, it changes nothing and says so. What is
// there in addition stays. The error is an *Error.
func (r *Runner) Repair(ctx context.Context) (Verification, error) {
	before, err := r.Verify(ctx)
	if err != nil {
		return before, err
	}
	return before, r.explain(ctx, r.mendDrift(ctx, before))
}

func (r *Runner) mendDrift(ctx context.Context, v Verification) error {
	switch {
	case len(v.Refused) > 0:
		e := permanent(result.ReasonCatalogDiffers, "the database differs in ways that no addition mends; change them by hand, then repair again")
		e.Failure.Revision, e.Failure.Found = v.Revision, v.Refused
		return e
	case !v.Managed:
		return refused(result.ReasonUnknownDatabase, "the database is not managed; migrate adopts it, and adds what it lacks")
	case len(v.Additions) == 0:
		return nil
	}
	c := &run{Runner: r}
	p := &planned{state: v.state, repair: v.repair, plan: Plan{From: v.Revision, Birth: v.Birth}}
	revision, _ := r.options.Bundle.Revision(v.Revision)
	return c.record(ctx, p, []string{writeHistory(historyRow{
		revision: v.Revision, id: revision.ID, direction: repair, birth: string(v.Birth),
		app: revision.App.String(), schemagate: r.options.Version,
	})})
}
