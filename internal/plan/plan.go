// Package plan decides what happens next to a database schema. It is a function
// of what was observed: no client, no clock, nothing remembered. Whatever state
// a crash, a stale cache or another operator process has left, the same
// observation leads to the same decision, and every decision can be repeated.
//
// What keeps it safe is the order. A decision is recorded in the status before
// it is acted on, the Job of a migration is created suspended and is started
// only while its plan is still the one that is recorded, and what a Job has done
// is recorded before any gate opens.
package plan

import (
	"slices"
	"time"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrationjob"
	"github.com/schemagate/schemagate/internal/requirement"
)

// Action is what to do next.
type Action string

// Actions.
const (
	// Idle: nothing is to be done until something changes.
	Idle Action = "Idle"

	// Wait: something that was begun has to end, or a pause has to pass.
	Wait Action = "Wait"

	// Discard: Jobs that no plan stands behind are to be deleted.
	Discard Action = "Discard"

	// Prepare: the Job is to be created, suspended.
	Prepare Action = "Prepare"

	// Help: a Job that has to succeed before pods are ended is to be created.
	Help Action = "Help"

	// Drain: pods that run are to be ended, and those that wait to be stamped,
	// so that no gate that is about to be opened by a decision of before is
	// opened.
	Drain Action = "Drain"

	// StartJob: the Job is to be started.
	StartJob Action = "StartJob"

	// AwaitJob: the Job runs.
	AwaitJob Action = "AwaitJob"

	// Record: the Job has ended, and what it says is to be recorded.
	Record Action = "Record"

	// RequireApproval: a person has to approve the plan.
	RequireApproval Action = "RequireApproval"

	// Stall: a person has to change something.
	Stall Action = "Stall"

	// Suspend: nothing is done because spec.suspend is set.
	Suspend Action = "Suspend"
)

// Settle is how long the gates have been held before a fencing migration starts:
// for API servers that still admit pods by an older status to hear of the hold.
const Settle = 3 * time.Second

// Observed is what a decision follows from.
type Observed struct {
	// Schema is the resource as it was read. It is not changed.
	Schema *v1alpha1.DatabaseSchema

	// Bundle holds the revisions.
	Bundle *bundle.Bundle

	// Source is the digest of the database that the spec refers to.
	Source string

	// Elder says which older DatabaseSchema refers to the same database;
	// empty when there is none.
	Elder string

	// Pods are the labeled pods of the schema, those that have ended left out.
	Pods []Pod

	// Fresh says that Pods come from the API server itself and not from a cache.
	Fresh bool

	// Job is the Job of the recorded attempt; nil when there is none.
	Job *migrationjob.Run

	// Strays are the other Jobs of the schema that have not ended.
	Strays []migrationjob.Run

	// Helpers are the Jobs of the schema that go before a migration.
	Helpers []HelperRun

	// CronJobMissing says that spec.rollout.before.cronJob was looked for and
	// not found.
	CronJobMissing bool

	// PodsLeft counts pods of other attempts than the recorded one that have
	// not ended. Those on a lost node are not waited for: the lock in the
	// database keeps them from harm.
	PodsLeft int

	// Now is the time of the observation.
	Now time.Time

	// HeldFor is how long this process has known that the hold which the status
	// records is in force; 0 when there is none. The clocks of nodes differ and
	// jump, so it is not taken from the times that the status has.
	HeldFor time.Duration
}

// Pod is a labeled pod that has not ended.
type Pod struct {
	// Name and UID of the pod.
	Name, UID string

	// Created is when it was created, in whole seconds.
	Created time.Time

	// Image is that of the application's container; empty if that cannot be told.
	Image string

	// Admitted says that an API server let the pod in when it was created, rather
	// than the operator or a person later.
	Admitted bool

	// Superseded says that its workload wants other pods by now: they do not
	// decide what the database is brought to while there is one that is wanted.
	Superseded bool

	// Abrupt says that the pod asks for no time to end.
	Abrupt bool

	// Gated says that the pod carries schemagate's gate. Any other pod counts as
	// running, whether it is starting or terminating.
	Gated bool

	// Terminating says that the pod is being deleted.
	Terminating bool

	// Hold is the hold that the pod was stamped with last; empty for none.
	Hold string

	// Requirement is what the pod says it needs, unless Unknown says why it
	// does not tell.
	Requirement requirement.Requirement
	Unknown     error
}

// Eviction is a pod to delete: this one, not another of the same name.
type Eviction struct {
	// Name and UID of the pod.
	Name, UID string

	// Abrupt says that the pod asks for no time to end.
	Abrupt bool
}

// Verdict is how a schema fares, for its conditions.
type Verdict string

// Verdicts.
const (
	// Ready: the database is where it has to be.
	Ready Verdict = "Ready"

	// Progressing: the operator works on it, or tries again by itself.
	Progressing Verdict = "Progressing"

	// Stalled: a person has to act.
	Stalled Verdict = "Stalled"

	// Blocked: a person has to agree.
	Blocked Verdict = "Blocked"
)

// Decision is what to do, and what to record before it is done.
type Decision struct {
	// Action is what to do. Whoever acts makes sure first that Status, apart
	// from its conditions, is what is recorded.
	Action Action

	// Verdict, Reason and Message explain the decision.
	Verdict Verdict
	Reason  string
	Message string

	// Status is what is to be recorded. Its conditions are those observed.
	Status v1alpha1.DatabaseSchemaStatus

	// Work is the migration that the decision is about; nil where it is about
	// none.
	Work *Work

	// Strays are the Jobs to delete.
	Strays []migrationjob.Run

	// Helper is the Job to create first; nil for none.
	Helper *Helper

	// Evict are pods to delete, whatever else is done.
	Evict []Eviction

	// Served says that pods which need the target can start.
	Served bool

	// Unknown counts the pods that do not tell what they need, and
	// UnknownMessage says of one of them why.
	Unknown        int
	UnknownMessage string

	// After is when to look again though nothing happens; 0 means never.
	After time.Duration
}

// Next decides.
func Next(o Observed) Decision {
	d := &decider{Observed: o, spec: o.Schema.Spec, status: *o.Schema.Status.DeepCopy()}
	decision := d.decide()
	d.completeDrain(&decision)
	d.completeGate(&decision)
	d.completeLook(&decision)
	decision.Status = d.status
	decision.Served = d.served()
	decision.Unknown, decision.UnknownMessage = d.unknown, d.unknownMessage
	return decision
}

// decider is the course of one decision.
type decider struct {
	Observed
	spec   v1alpha1.DatabaseSchemaSpec
	status v1alpha1.DatabaseSchemaStatus // to be recorded

	overlay  []bundle.Release
	explicit int // the revision that the spec names; 0 for none
	target   int // 0: nothing needs a revision
	work     *Work

	running        int // pods that are not gated
	unknown        int
	unknownMessage string

	// hold says that the gates stay closed, whatever the database serves.
	hold bool
}

func (d *decider) decide() Decision {
	generation := d.Schema.Generation
	d.status.ObservedGeneration = &generation
	d.status.Approval = v1alpha1.ApprovalStatus{}
	d.hold = d.fenced()
	d.rebase()
	if d.spec.Policy.Drift == v1alpha1.DriftIgnore {
		d.status.Drift = v1alpha1.DriftStatus{}
	}
	problem := d.resolve()
	if !d.Schema.DeletionTimestamp.IsZero() {
		return Decision{Action: Idle, Verdict: Progressing, Reason: v1alpha1.ReasonCleaningUp, Message: "The DatabaseSchema is being deleted."}
	}
	if stray := d.strays(); stray != nil {
		return *stray
	}
	if d.status.Attempt.State == v1alpha1.AttemptPending {
		return d.inFlight(problem)
	}
	return d.next(problem)
}

// fenced reports whether the recorded hold is one for a fencing migration. Only
// what a Job has found out may end it.
func (d *decider) fenced() bool {
	return d.status.Gate.State == v1alpha1.GateHeld && d.status.Gate.Decision != ""
}

// rebase drops what is recorded of another database.
func (d *decider) rebase() {
	if d.status.Source == d.Source {
		return
	}
	if d.status.Attempt.State == v1alpha1.AttemptPending {
		d.status.Attempt.State = v1alpha1.AttemptLost
	}
	d.status.Source = d.Source
	d.unlearn()
	d.status.VerifiedTime, d.status.Drift = nil, v1alpha1.DriftStatus{}
	d.status.Gate = v1alpha1.GateStatus{}
	d.hold = false
}

// strays ends Jobs that no plan stands behind: of a plan that was given up, of
// another database, or left by an operator process that was stopped in between.
func (d *decider) strays() *Decision {
	strays := d.Strays
	if d.Job != nil && d.status.Attempt.State != v1alpha1.AttemptPending && !d.Job.Ended() && d.Job.Result == nil {
		strays = append(slices.Clip(strays), *d.Job)
		if !d.Job.Suspended && d.status.Attempt.State == v1alpha1.AttemptAbandoned {
			// It was started after all, so nobody knows what it did.
			d.status.Attempt.State = v1alpha1.AttemptLost
		}
	}
	if len(strays) == 0 {
		return nil
	}
	return &Decision{
		Strays: strays,
		Action: Discard, Verdict: Progressing, Reason: v1alpha1.ReasonCleaningUp,
		Message: "A migration Job that is no longer wanted is being removed: " + strays[0].Name + ".",
	}
}

// applied returns the revision that the database is at; known is false while
// nobody has looked, or what was seen may have changed since.
func (d *decider) applied() (version int, known bool) {
	version = int(d.status.AppliedRevision.Version)
	return version, version > 0 && !d.unread()
}

// unread reports whether an attempt ended without telling what it left, and
// none has found out since.
func (d *decider) unread() bool {
	a := d.status.Attempt
	return a.State == v1alpha1.AttemptLost ||
		a.Reason == v1alpha1.ReasonJobLost || a.Reason == v1alpha1.ReasonDeadlineExceeded ||
		a.Number > 0 && a.From == nil && a.State != v1alpha1.AttemptSucceeded
}

// interval returns what the recorded revision serves.
func (d *decider) interval() bundle.Interval {
	return d.Bundle.Interval(int(d.status.AppliedRevision.Version), bundle.Birth(d.status.Birth), d.overlay...)
}

// served reports whether pods that need the target can start.
func (d *decider) served() bool {
	return d.target > 0 && d.status.Serves.From > 0 &&
		d.target >= int(d.status.Serves.From) && d.target <= int(d.status.Serves.To)
}
