package plan

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// A drain has no state of its own. It is what happens between the record of a
// hold and the record of what its migration has done: whatever labeled pod runs
// is ended, as often as one is seen. What comes in its place waits.
//
// All pods that run are ended, also one that the schema would serve afterwards.
// There is none such, but for what spec.gate Open or a restored database has let
// in; and the engine, which looks for sessions of others, could not tell it from
// the rest.

// drained reports whether running pods are ended rather than waited for. With
// spec.gate Open nothing keeps them from coming back.
func (d *decider) drained() bool { return d.spec.Gate != v1alpha1.GateDisabled }

// draining decides about a drain that has not come to its end; nil when no pod
// runs.
func (d *decider) draining(work *Work) *Decision {
	if d.running == 0 {
		return nil
	}
	left := d.runningPods()
	decision := &Decision{
		Action: Drain, Verdict: Progressing, Reason: v1alpha1.ReasonDraining, Work: work, Evict: d.evictable(func(Pod) bool { return false }),
		Message: fmt.Sprintf("%s begins when the pods that run have ended: %s. Those that come in their place wait.", d.describe(work), left),
	}
	timeout := time.Duration(cmp.Or(d.spec.Rollout.DrainTimeoutSeconds, defaultDrainTimeoutSeconds)) * time.Second
	if remaining := d.drainBegan().Add(timeout).Sub(d.Now); remaining > 0 {
		decision.After = min(remaining, timeout) // less than that only by a clock that has jumped back
		return decision
	}
	decision.Verdict, decision.Reason = Stalled, v1alpha1.ReasonDrainTimeout
	decision.Message = fmt.Sprintf(
		"Pods are still there after %s, which is spec.rollout.drainTimeoutSeconds: %s. "+
			"No pod starts until they have ended; then the migration begins by itself. To give it up, roll the workload back.", timeout, left)
	return decision
}

// defaultDrainTimeoutSeconds is what the API defaults to.
const defaultDrainTimeoutSeconds = 300

// drainBegan is when the attempt was decided, or when the last of the pods was
// let in in spite of it.
func (d *decider) drainBegan() time.Time {
	began := d.Now
	if start := d.status.Attempt.StartTime; start != nil {
		began = start.Time
	}
	for _, pod := range d.Pods {
		if !pod.Gated && pod.Created.After(began) {
			began = pod.Created
		}
	}
	return began
}

// evictable are the pods that run and have not been told to end, but for some.
func (d *decider) evictable(unless func(Pod) bool) []Eviction {
	var out []Eviction
	for _, pod := range d.Pods {
		if !pod.Gated && !pod.Terminating && !unless(pod) {
			out = append(out, Eviction{Name: pod.Name, UID: pod.UID, Abrupt: pod.Abrupt})
		}
	}
	return out
}

// intruders are pods that run though they were created when nothing was to be
// let through: an API server that had not heard of the hold has admitted them.
// They are ended as long as the hold lasts, and after it, if they need what is
// no longer served. Whom a person lets in after it stays.
func (d *decider) intruders() []Eviction {
	a := d.status.Attempt
	if a.StartTime == nil || !d.drained() || !d.wasHeld() {
		return nil
	}
	if !d.hold && d.interval().From == 0 {
		return nil // It is not known any more what they would be wrong for.
	}
	return d.evictable(func(pod Pod) bool {
		return pod.Created.Before(d.decided()) || d.letIn(pod) || !d.hold && !pod.Admitted
	})
}

// decided is when the recorded attempt was decided, as pods are dated: by the API
// server, which has dated the Job, too. This process's own clock may be ahead.
func (d *decider) decided() time.Time {
	began := d.status.Attempt.StartTime.Time
	if d.Job != nil && !d.Job.Created.IsZero() && d.Job.Created.Time.Before(began) {
		return d.Job.Created.Time
	}
	return began
}

// wasHeld reports whether the recorded attempt held the gates.
func (d *decider) wasHeld() bool {
	a := d.status.Attempt
	if d.fenced() {
		return true
	}
	if a.From == nil || a.State != v1alpha1.AttemptSucceeded {
		return false
	}
	if a.To >= *a.From && d.spec.Rollout.Strategy == v1alpha1.StrategyRolling {
		return false // Older pods were let in all the time, and stay.
	}
	return a.To < *a.From || len(d.Bundle.Fencing(int(*a.From), int(a.To))) > 0
}

// letIn reports whether a pod may run by what is decided now. Whoever does not
// tell what it needs was let in for another reason, and stays.
func (d *decider) letIn(pod Pod) bool {
	need, known := d.need(pod)
	return !d.hold && (!known || d.interval().Serves(need))
}

// completeDrain adds what is to be ended besides.
func (d *decider) completeDrain(decision *Decision) {
	if len(decision.Evict) == 0 && d.Schema.DeletionTimestamp.IsZero() && !d.suspended() && d.Elder == "" {
		decision.Evict = d.intruders()
	}
}

// runningPods names the pods that run, for people.
func (d *decider) runningPods() string {
	var out []string
	for _, pod := range d.Pods {
		if pod.Gated {
			continue
		}
		if len(out) == maxNames {
			out = append(out, fmt.Sprintf("and %d more", d.running-maxNames))
			break
		}
		name := pod.Name
		if pod.Terminating {
			name += " (ending)"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}
