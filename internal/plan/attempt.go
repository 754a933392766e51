package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/naming"
)

// The pauses between attempts that failed for a reason that may mend.
const (
	backoffMin = 5 * time.Second
	backoffMax = 2 * time.Minute
)

// Backoff returns the pause after a number of failures in a row: five seconds,
// doubled with each one, at most two minutes.
func Backoff(failures int) time.Duration {
	pause := backoffMin
	for range failures - 1 {
		if pause *= 2; pause >= backoffMax {
			return backoffMax
		}
	}
	return pause
}

// next decides while no attempt is under way.
func (d *decider) next(bad *problem) Decision {
	d.hold = d.fenced() && d.unread()
	if d.Elder != "" {
		return d.stall(v1alpha1.ReasonDatabaseShared, fmt.Sprintf(
			"An older DatabaseSchema, %s, refers to the same database. Delete one of the two: one database has one schema.", d.Elder))
	}
	if bad != nil {
		return d.stall(bad.reason, bad.message)
	}
	work, bad := d.plan()
	if bad != nil {
		return d.stall(bad.reason, bad.message)
	}
	d.work = work
	if work == nil {
		return d.idle()
	}
	if d.suspended() {
		return Decision{
			Action: Suspend, Verdict: Progressing, Reason: v1alpha1.ReasonSuspended, Work: work,
			Message: "A migration to revision " + strconv.Itoa(work.To) + " is pending, and spec.suspend is true. Set it to false to go on.",
		}
	}
	if waiting := d.afterFailure(work); waiting != nil {
		return *waiting
	}
	if d.needsApproval(work) {
		return d.requireApproval(work)
	}
	if work.Fence {
		if d.running > 0 && !d.drained() {
			return d.fencingPending(work)
		}
		if first := d.before(work); first != nil {
			return *first
		}
	}
	d.hold = d.hold || d.goesOn(work)
	if d.PodsLeft > 0 {
		return d.awaitPods(work)
	}
	return d.begin(work)
}

func (d *decider) suspended() bool { return d.spec.Suspend != nil && *d.spec.Suspend }

// idle is a schema that needs nothing.
func (d *decider) idle() Decision {
	d.remember()
	if d.target == 0 {
		return Decision{
			Action: Idle, Verdict: Ready, Reason: v1alpha1.ReasonNoWorkload, After: d.untilLook(),
			Message: "No labeled pod needs a revision.",
		}
	}
	applied, target := d.status.AppliedRevision, d.status.TargetRevision
	message := fmt.Sprintf("The database is at revision %d (%s), the target.", applied.Version, applied.ID)
	if applied.Version != target.Version {
		message = fmt.Sprintf("The database is at revision %d (%s), which serves the target, revision %d (%s), too: there is nothing to migrate.",
			applied.Version, applied.ID, target.Version, target.ID)
	}
	return Decision{Action: Idle, Verdict: Ready, Reason: v1alpha1.ReasonUpToDate, Message: message, After: d.untilLook()}
}

func (d *decider) stall(reason, message string) Decision {
	return Decision{Action: Stall, Verdict: Stalled, Reason: reason, Message: message}
}

// afterFailure says what a failure of before means for an attempt that would be
// the same again; nil when nothing.
func (d *decider) afterFailure(work *Work) *Decision {
	a := d.status.Attempt
	if a.Inputs != d.inputs(work) || d.retryAsked() || d.verifyAsked() {
		return nil
	}
	switch a.State {
	case v1alpha1.AttemptFailed:
		return &Decision{
			Action: Stall, Verdict: Stalled, Reason: a.Reason, Work: work,
			Message: a.Message + " The next attempt begins when the spec changes, or with another value of the annotation " + v1alpha1.AnnotationRetry + ".",
		}
	case v1alpha1.AttemptRetrying, v1alpha1.AttemptLost:
		pause := time.Duration(0)
		if a.RetryTime != nil {
			pause = a.RetryTime.Sub(d.Now)
		}
		if pause <= 0 || pause > backoffMax {
			return nil // So long can it only be by a clock that has jumped back.
		}
		d.hold = d.hold || d.goesOn(work)
		return &Decision{
			Action: Wait, Verdict: Progressing, Reason: a.Reason, Work: work, After: pause,
			Message: a.Message + " The next attempt begins at " + a.RetryTime.UTC().Format(time.RFC3339) + ".",
		}
	case v1alpha1.AttemptPending, v1alpha1.AttemptSucceeded, v1alpha1.AttemptAbandoned:
		return nil
	}
	return nil
}

// goesOn reports whether the work is another attempt at a migration that holds
// the gates: no pod of another release may come in between two attempts.
func (d *decider) goesOn(work *Work) bool {
	a := d.status.Attempt
	return work.Fence && d.fenced() && a.Inputs == d.inputs(work) &&
		(a.State == v1alpha1.AttemptRetrying || a.State == v1alpha1.AttemptLost)
}

func (d *decider) requireApproval(work *Work) Decision {
	way := fmt.Sprintf("The way from revision %d to %d ", *work.From, work.To)
	var reasons []string
	switch {
	case work.Downgrade && len(work.Loss) == 0:
		reasons = append(reasons, way+"is down")
	case work.Downgrade:
		reasons = append(reasons, way+"reverts revisions that lose data: "+some(work.Loss))
	case len(work.Loss) > 0 && !d.mayDestroy(work.Digest):
		reasons = append(reasons, way+"applies revisions that lose data: "+some(work.Loss))
	}
	if breaks := work.breaks(); len(breaks) > 0 {
		reasons = append(reasons, "spec.rollout.strategy is Rolling, and pods of older releases that keep running break: "+some(breaks))
	}
	d.status.Approval = v1alpha1.ApprovalStatus{Digest: work.Digest, From: number(*work.From), To: number(work.To)}
	return Decision{
		Action: RequireApproval, Verdict: Blocked, Reason: v1alpha1.ReasonAwaitingApproval, Work: work,
		Message: strings.Join(reasons, ". ") + ". Approve it with the annotation " + v1alpha1.AnnotationApprove + "=" + work.Digest + ".",
	}
}

// some joins as many as a message lists. What are sentences in the bundle are parts
// of one here, and go without their full stop.
func some(texts []string) string {
	var out []string
	for _, text := range texts[:min(len(texts), maxNames)] {
		out = append(out, strings.TrimSuffix(text, "."))
	}
	if left := len(texts) - maxNames; left > 0 {
		out = append(out, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(out, "; ")
}

// fencingPending is a drain that nothing would come of.
func (d *decider) fencingPending(work *Work) Decision {
	return d.withWork(work, d.stall(v1alpha1.ReasonFencingRevisionsPending, fmt.Sprintf(
		"%s needs the database alone, %d labeled pods run, and spec.gate is Open, so that whatever is ended comes back. Set it to Enforced.",
		d.describe(work), d.running)))
}

func (d *decider) withWork(work *Work, decision Decision) Decision {
	decision.Work = work
	return decision
}

func (d *decider) awaitPods(work *Work) Decision {
	return Decision{
		Action: Wait, Verdict: Progressing, Reason: v1alpha1.ReasonCleaningUp, Work: work, After: recheck,
		Message: fmt.Sprintf("%d pods of an earlier migration Job have not ended yet.", d.PodsLeft),
	}
}

// recheck is when to look again at something that may end without an event:
// a pod becomes overdue by the clock.
const recheck = 10 * time.Second

// begin is a new attempt. Recording it comes first; the Job is made by whoever
// finds it recorded.
func (d *decider) begin(work *Work) Decision {
	failures := d.status.Attempt.Failures
	if d.status.Attempt.Inputs != d.inputs(work) || d.retryAsked() {
		failures = nil
	}
	next := d.status.Attempt.Number + 1
	d.status.Attempt = v1alpha1.Attempt{
		Number:   next,
		Job:      naming.Job(d.Schema.Name, string(d.Schema.UID), work.Digest, strconv.FormatInt(next, 10)),
		Decision: work.Digest, Inputs: d.inputs(work), StartTime: &metav1.Time{Time: d.Now.Truncate(time.Second)},
		From: work.from(), To: number(work.To), State: v1alpha1.AttemptPending, Failures: failures,
	}
	d.hold = d.hold || work.Fence
	d.remember()
	return d.prepare(work)
}

func (d *decider) prepare(work *Work) Decision {
	return Decision{Action: Prepare, Verdict: Progressing, Reason: d.reason(work), Message: d.describe(work) + " is being prepared.", Work: work}
}

func (d *decider) reason(work *Work) string {
	switch {
	case work.Inspects():
		return v1alpha1.ReasonInspecting
	case work.Fence && d.running > 0:
		return v1alpha1.ReasonDraining
	}
	return v1alpha1.ReasonMigrating
}

func (d *decider) describe(work *Work) string {
	switch {
	case work.Inspects():
		return fmt.Sprintf("A look at the database, and a migration to revision %d if that can break nothing,", work.To)
	case *work.From == work.To:
		return "A look at the database"
	}
	if len(work.Unfenced) > 0 {
		return fmt.Sprintf("The migration from revision %d to %d, which runs under pods of older releases because spec.rollout.strategy is Rolling "+
			"(what they write after %s may be missed),", *work.From, work.To, names(work.Unfenced, func(bundle.Revision) bool { return true }))
	}
	return fmt.Sprintf("The migration from revision %d to %d", *work.From, work.To)
}

// inFlight decides while an attempt is under way.
func (d *decider) inFlight(bad *problem) Decision {
	job := d.Job
	switch {
	case job != nil && (job.Result != nil || job.Ended()):
		// Whatever is wanted now, this has happened.
		return d.record()
	case d.suspended():
		// Its Job is a stray from now on, and ends.
		return d.giveUp(v1alpha1.ReasonSuspended, "The migration is being ended because spec.suspend is true.")
	case job == nil || job.Deleting:
		return d.withoutJob(bad)
	case job.Suspended:
		return d.start(bad)
	}
	work, _ := d.plan()
	if work != nil && d.stuck() && d.status.Attempt.Inputs != d.inputs(work) {
		return d.giveUp(v1alpha1.ReasonCleaningUp, "The spec has changed before the pod of the migration could start, so its Job is made again.")
	}
	return d.await(work)
}

// stuck reports whether the pod of the Job cannot start, so that nothing has run yet.
func (d *decider) stuck() bool {
	w := d.Job.Waiting
	return w != nil && w.Reason != migrationjob.ContainerCreating && d.Job.ExitCode == nil
}

// wanted returns the work of the attempt if it is still what would be decided.
func (d *decider) wanted(bad *problem) *Work {
	if bad != nil || d.Elder != "" {
		return nil
	}
	work, bad := d.plan()
	if bad != nil || work == nil || work.Digest != d.status.Attempt.Decision || d.needsApproval(work) {
		return nil
	}
	if work.Fence && d.running > 0 && !d.drained() {
		return nil
	}
	d.work = work
	return work
}

// withoutJob is an attempt whose Job has not been made, or is gone. Made again
// under the same name it does the same.
func (d *decider) withoutJob(bad *problem) Decision {
	work := d.wanted(bad)
	switch {
	case work == nil:
		return d.giveUp(v1alpha1.ReasonCleaningUp, "The plan has changed before its migration began.")
	case d.Job != nil || d.PodsLeft > 0:
		return d.awaitPods(work)
	}
	d.status.Attempt.Inputs = d.inputs(work) // It is made with the settings of now.
	return d.prepare(work)
}

// start is an attempt whose Job is there and suspended.
func (d *decider) start(bad *problem) Decision {
	work := d.wanted(bad)
	switch {
	case work == nil || d.Job.Decision != work.Digest || d.status.Attempt.Inputs != d.inputs(work):
		// Also a Job that would do the same was made with the settings of before.
		return d.giveUp(v1alpha1.ReasonCleaningUp, "The plan has changed before its migration began.")
	case d.PodsLeft > 0:
		return d.awaitPods(work)
	}
	if work.Fence {
		if decision := d.draining(work); decision != nil {
			return *decision
		}
		if d.unstamped() {
			return Decision{
				Action: Drain, Verdict: Progressing, Reason: v1alpha1.ReasonHolding, Work: work,
				Message: d.describe(work) + " begins when all pods that wait have been told to.",
			}
		}
		if pause := d.settling(); pause > 0 {
			return Decision{
				Action: Wait, Verdict: Progressing, Reason: v1alpha1.ReasonHolding, Work: work, After: pause,
				Message: d.describe(work) + " begins when every API server has heard that pods are held.",
			}
		}
		if !d.Fresh {
			return Decision{
				Action: Wait, Verdict: Progressing, Reason: v1alpha1.ReasonHolding, Work: work, After: time.Second,
				Message: d.describe(work) + " begins when the API server has said that no pod runs.",
			}
		}
	}
	return Decision{
		Action: StartJob, Verdict: Progressing, Reason: d.reason(work), Work: work,
		Message: d.describe(work) + " starts.",
	}
}

// unstamped reports whether a waiting pod lacks the stamp of this hold.
func (d *decider) unstamped() bool {
	for _, pod := range d.Pods {
		if pod.Gated && pod.Hold != d.status.Attempt.Job {
			return true
		}
	}
	return false
}

// settling returns how long the hold has still to be in force.
func (d *decider) settling() time.Duration {
	if !d.fenced() {
		return Settle
	}
	if d.spec.Gate == v1alpha1.GateDisabled {
		return 0 // Nothing is held, so nobody has to hear of it.
	}
	return Settle - d.HeldFor
}

// await is an attempt whose Job runs.
func (d *decider) await(work *Work) Decision {
	decision := Decision{
		Action: AwaitJob, Verdict: Progressing, Work: work, Reason: v1alpha1.ReasonMigrating,
		Message: fmt.Sprintf("Job %s migrates to revision %d.", d.Job.Name, d.status.Attempt.To),
	}
	if d.status.Attempt.From == nil {
		decision.Reason = v1alpha1.ReasonInspecting
		decision.Message = fmt.Sprintf("Job %s looks at the database.", d.Job.Name)
	}
	if w := d.Job.Waiting; w != nil && w.Reason != migrationjob.ContainerCreating {
		decision.Reason = w.Reason
		decision.Message = fmt.Sprintf("The pod of Job %s cannot start: %s. It starts by itself when that is mended; "+
			"when the spec is corrected, the Job is made again.", d.Job.Name, w.Message)
	}
	if d.Job.Overdue > 0 {
		return d.giveUp(v1alpha1.ReasonJobLost, "The node of the migration pod is lost.")
	}
	if d.Job.PodsLeft > 0 {
		decision.After = recheck
	}
	return decision
}

// giveUp ends an attempt whose Job is not wanted any more. What it may have done
// is unknown if it ran.
func (d *decider) giveUp(reason, message string) Decision {
	d.status.Attempt.State = v1alpha1.AttemptAbandoned
	if d.fenced() || d.Job != nil && !d.Job.Suspended {
		// Even one that is not there, or suspended, may have run: its Job may have
		// been deleted since, and made again under the same name.
		d.status.Attempt.State = v1alpha1.AttemptLost
		d.status.Attempt.Reason = v1alpha1.ReasonJobLost
	}
	d.hold = d.hold || d.fenced()
	action := Discard
	if reason == v1alpha1.ReasonSuspended {
		action = Suspend
	}
	return Decision{Action: action, Verdict: Progressing, Reason: reason, Message: message}
}
