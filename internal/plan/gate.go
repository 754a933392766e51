package plan

import (
	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
)

// completeGate sets what the status says about the gates. It is the only place
// that does: pods are let through exactly when the recorded revision is known
// and no hold is in force.
func (d *decider) completeGate(decision *Decision) {
	interval := d.interval()
	switch {
	case d.hold:
		d.status.Serves = v1alpha1.Serves{}
		d.status.Gate = v1alpha1.GateStatus{
			State: v1alpha1.GateHeld, Reason: decision.Reason, Decision: d.holdDecision(),
		}
	case d.Elder != "":
		// Whoever is older may migrate the database at any moment: what is recorded
		// here is not so any more when the older one is gone.
		d.unlearn()
		d.status.Serves = v1alpha1.Serves{}
		d.status.Gate = v1alpha1.GateStatus{State: v1alpha1.GateHeld, Reason: v1alpha1.ReasonDatabaseShared}
	case interval.From == 0:
		d.status.Serves = v1alpha1.Serves{}
		d.status.Gate = v1alpha1.GateStatus{State: v1alpha1.GateHeld, Reason: v1alpha1.ReasonNotInspected}
	default:
		d.status.Serves = ServesOf(interval)
		d.status.Gate = v1alpha1.GateStatus{State: v1alpha1.GateOpen, Reason: v1alpha1.ReasonServing}
	}
}

// ServesOf returns an interval as the status has it.
func ServesOf(interval bundle.Interval) v1alpha1.Serves {
	serves := v1alpha1.Serves{From: number(interval.From), To: number(interval.To)}
	if !interval.AppFrom.IsZero() {
		serves.AppFrom, serves.AppBefore = interval.AppFrom.String(), interval.AppBefore.String()
	}
	return serves
}

// holdDecision is what marks the hold: the plan that is under way, or the one
// that the hold began with.
func (d *decider) holdDecision() string {
	if d.status.Attempt.State == v1alpha1.AttemptPending || d.status.Gate.Decision == "" {
		return d.status.Attempt.Decision
	}
	return d.status.Gate.Decision
}
