package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// Work is a migration: what a Job is to do.
type Work struct {
	// From is the revision that the database is taken to be at; nil where the
	// Job has to find out, in which case it does nothing that could break a pod
	// or lose data.
	From *int

	// To is the revision to bring it to.
	To int

	// Pending lists the revisions in between, in the order in which they are
	// applied or reverted; nothing while From is not known.
	Pending []bundle.Revision

	// Fence says that no labeled pod may run meanwhile.
	Fence bool

	// Downgrade says that the way is down.
	Downgrade bool

	// Loss lists what is lost on the way, by revision; nothing when that is
	// nothing.
	Loss []string

	// Unfenced lists the fencing revisions that run under pods all the same,
	// because the spec says so.
	Unfenced []bundle.Revision

	// RefuseFencing and RefuseDestructive are what the Job is to refuse
	// should the database not be what it is taken for.
	RefuseFencing, RefuseDestructive bool

	// Digest identifies the plan. Whoever approves, approves this.
	Digest string
}

// Inspects reports whether the Job has to find out where the database stands.
func (w *Work) Inspects() bool { return w.From == nil }

// From and to as the status has them.
func (w *Work) from() *int32 {
	if w.From == nil {
		return nil
	}
	from := number(*w.From)
	return &from
}

// plan returns the work that is needed to serve the target; nil when there is
// none.
func (d *decider) plan() (*Work, *problem) {
	applied, known := d.applied()
	switch {
	case !known && d.target > 0:
		return d.inspect(d.target), nil
	case !known && applied > 0:
		// Nobody needs anything, but nobody knows either how far a migration came.
		return d.inspect(applied), nil
	case known && d.verifies(applied):
		return d.verification(applied), nil
	case d.target == 0:
		return d.look(applied), nil
	case applied > len(d.Bundle.Revisions):
		return nil, &problem{string(result.ReasonAheadOfBundle), fmt.Sprintf(
			"The database is at revision %d, and this operator knows revisions up to %d. Install the newer one again.", applied, len(d.Bundle.Revisions))}
	case d.target > applied:
		return d.upgrade(applied), nil
	case d.interval().Serves(d.target) && (d.target == applied || !d.wantsDowngrade()):
		return d.look(applied), nil
	}
	return d.downgrade(applied)
}

// wantsDowngrade reports whether an explicit target below the applied revision
// is to be reached though pods could run without: only where the policy lets it.
func (d *decider) wantsDowngrade() bool {
	explicit := d.spec.Target.Type == v1alpha1.TargetRevision || d.spec.Target.Type == v1alpha1.TargetAppVersion
	return explicit && (d.spec.Policy.Downgrade == v1alpha1.DowngradeAllow || d.spec.Policy.Downgrade == v1alpha1.DowngradeRequireApproval)
}

// inspect is a first look, which goes on to the target if that is harmless. In a
// SQLite file a harmless migration is one that nobody else has open, unless there
// is nothing to migrate as far as anybody knows.
func (d *decider) inspect(target int) *Work {
	fence := d.exclusive() && target != int(d.status.AppliedRevision.Version)
	return d.identify(&Work{To: target, Fence: fence, RefuseFencing: true, RefuseDestructive: !d.mayDestroy("")})
}

// exclusive reports whether pods and a migration must never work on the database
// at once: a SQLite file has one writer at a time, and releases of the
// application wait for it for seconds, not minutes.
func (d *decider) exclusive() bool { return d.spec.Database.SQLite.ClaimName != "" }

// engine is that of the database.
func (d *decider) engine() bundle.Engine {
	if d.exclusive() {
		return bundle.SQLite
	}
	return bundle.Postgres
}

// verifies reports whether the database is to be looked at before anything
// else: somebody asks for it, or the last look has not told anything.
func (d *decider) verifies(applied int) bool {
	a := d.status.Attempt
	return d.verifyAsked() ||
		a.From != nil && int(*a.From) == applied && int(a.To) == applied && a.State != v1alpha1.AttemptSucceeded
}

// verification is a look at a database that is taken to be somewhere.
func (d *decider) verification(applied int) *Work {
	return d.identify(&Work{From: &applied, To: applied, RefuseFencing: true, RefuseDestructive: true})
}

func (d *decider) upgrade(applied int) *Work {
	w := &Work{From: &applied, To: d.target}
	for _, revision := range d.Bundle.Revisions[applied:d.target] {
		w.Pending = append(w.Pending, revision)
		if revision.Destructive {
			w.Loss = append(w.Loss, fmt.Sprintf("%d (%s) removes or reshapes data", revision.Version, revision.ID))
		}
	}
	fencing := len(d.Bundle.Fencing(applied, d.target)) > 0
	switch d.spec.Rollout.Strategy {
	case v1alpha1.StrategyDrain:
		w.Fence = true
	case v1alpha1.StrategyRolling:
		w.Fence = false
	case v1alpha1.StrategyAuto:
		w.Fence = fencing
	default:
		w.Fence = fencing
	}
	w.Fence = w.Fence || d.exclusive()
	if fencing && !w.Fence {
		w.Unfenced = d.Bundle.Fencing(applied, d.target)
	}
	w.RefuseFencing = !fencing
	d.identify(w)
	w.RefuseDestructive = len(w.Loss) == 0 || !d.mayDestroy(w.Digest)
	return w
}

func (d *decider) downgrade(applied int) (*Work, *problem) {
	target := d.status.TargetRevision
	spec, _ := d.Bundle.Birth(bundle.Birth(d.status.Birth))
	switch {
	case !d.Bundle.Interval(d.target, bundle.Birth(d.status.Birth), d.overlay...).Serves(d.target):
		return nil, &problem{v1alpha1.ReasonDowngradeRequired, fmt.Sprintf(
			"Pods need revision %d (%s), but a database of birth %s serves no release before %s at any revision. Use a newer release.",
			target.Version, target.ID, d.status.Birth, spec.AppFrom)}
	case d.spec.Policy.Downgrade != v1alpha1.DowngradeAllow && d.spec.Policy.Downgrade != v1alpha1.DowngradeRequireApproval:
		interval := d.interval()
		return nil, &problem{v1alpha1.ReasonDowngradeRequired, fmt.Sprintf(
			"Pods need revision %d (%s); the database is at %d, which serves revisions %d to %d, and spec.policy.downgrade is %s. "+
				"Use a release from %s on, or allow the downgrade, which can lose data.",
			target.Version, target.ID, applied, interval.From, interval.To, v1alpha1.DowngradeForbid, interval.AppFrom)}
	}
	w := &Work{From: &applied, To: d.target, Fence: true, Downgrade: true, RefuseFencing: true, RefuseDestructive: true}
	for version := applied; version > d.target; version-- {
		revision := d.Bundle.Revisions[version-1]
		w.Pending = append(w.Pending, revision)
		if revision.LossyDown != "" {
			w.Loss = append(w.Loss, fmt.Sprintf("%d (%s): %s", revision.Version, revision.ID, revision.LossyDown))
		}
	}
	return d.identify(w), nil
}

// needsApproval reports whether a person has to approve the work first.
func (d *decider) needsApproval(w *Work) bool {
	if w.Downgrade {
		return d.spec.Policy.Downgrade == v1alpha1.DowngradeRequireApproval && !d.approved(w.Digest)
	}
	return len(w.Loss) > 0 && !d.mayDestroy(w.Digest) || len(w.breaks()) > 0 && !d.approved(w.Digest)
}

// breaks says what breaks pods that keep running.
func (w *Work) breaks() []string {
	var out []string
	for _, revision := range w.Unfenced {
		if revision.Label != bundle.Quiesce {
			out = append(out, fmt.Sprintf("%d (%s): %s", revision.Version, revision.ID, revision.Why))
		}
	}
	return out
}

// mayDestroy reports whether revisions that destroy may be applied: by policy,
// because the spec names the target itself, or because the plan is approved.
func (d *decider) mayDestroy(digest string) bool {
	explicit := d.spec.Target.Type == v1alpha1.TargetRevision || d.spec.Target.Type == v1alpha1.TargetAppVersion
	return explicit || d.spec.Policy.Destructive == v1alpha1.DestructiveAllow || d.approved(digest)
}

func (d *decider) approved(digest string) bool {
	return digest != "" && d.Schema.Annotations[v1alpha1.AnnotationApprove] == digest
}

// identify sets the digest.
func (d *decider) identify(w *Work) *Work {
	from := "?"
	if w.From != nil {
		from = strconv.Itoa(*w.From)
	}
	parts := []string{d.Source, d.Bundle.Digest(), from, strconv.Itoa(w.To), strconv.FormatBool(w.Fence)}
	for _, revision := range w.Pending {
		parts = append(parts, revision.ID)
	}
	w.Digest = digest(parts...)
	return w
}

// inputs is the digest of what decides whether a failure is worth another try.
func (d *decider) inputs(w *Work) string {
	return digest(d.Source, d.Bundle.Digest(), strconv.Itoa(w.To), strconv.FormatInt(d.Schema.Generation, 10))
}

// digest is short enough to be typed: it tells plans apart and proves nothing.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}

// MaxHandled is how long the value of an annotation may be, in bytes, for the status
// to have it as it is; of a longer one it has a digest.
const MaxHandled = 128

// handled returns how the status remembers the value of an annotation; nothing
// when there is no such annotation.
func (d *decider) handled(annotation string) string {
	value := d.Schema.Annotations[annotation]
	if len(value) > MaxHandled {
		return digest(value)
	}
	return value
}

// asked reports whether an annotation has a value that was not acted on.
func (d *decider) asked(annotation, last string) bool {
	value := d.handled(annotation)
	return value != "" && value != last
}

// retryAsked reports whether a person wants another attempt.
func (d *decider) retryAsked() bool {
	return d.asked(v1alpha1.AnnotationRetry, d.status.LastHandledRetry)
}

// verifyAsked reports whether a person wants the database to be looked at.
func (d *decider) verifyAsked() bool {
	return d.asked(v1alpha1.AnnotationVerify, d.status.LastHandledVerify)
}

// remember notes the annotations that the decision has answered.
func (d *decider) remember() {
	d.status.LastHandledRetry = d.handled(v1alpha1.AnnotationRetry)
	d.status.LastHandledVerify = d.handled(v1alpha1.AnnotationVerify)
}

// names lists revisions for people.
func names(revisions []bundle.Revision, only func(bundle.Revision) bool) string {
	var out []string
	for _, revision := range revisions {
		if only(revision) {
			out = append(out, fmt.Sprintf("%d (%s)", revision.Version, revision.ID))
		}
	}
	if len(out) > maxNames {
		out = append(slices.Clone(out[:maxNames]), fmt.Sprintf("and %d more", len(out)-maxNames))
	}
	return strings.Join(out, ", ")
}

// maxNames is how many revisions a message lists.
const maxNames = 8
