package plan

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// historyLength is how many migrations the status lists.
const historyLength = 10

// record is what an attempt has done. Its Job stays as evidence until it
// expires.
func (d *decider) record() Decision {
	a := &d.status.Attempt
	res := d.Job.Result
	if res == nil {
		return d.recordLoss()
	}
	var outcome v1alpha1.AttemptState
	if uncertain(res) {
		outcome = v1alpha1.AttemptLost
	} else if known := d.learn(res); res.Outcome == result.Done && !known {
		outcome = v1alpha1.AttemptFailed
	} else {
		outcome = d.judge(res)
	}
	a.State, a.RetryTime, a.Reason, a.Message = outcome, nil, "", ""
	if outcome == v1alpha1.AttemptSucceeded {
		a.Failures = nil
		d.enter(res, v1alpha1.ReasonSucceeded)
		return Decision{
			Action: Record, Verdict: Progressing, Reason: v1alpha1.ReasonMigrating,
			Message: fmt.Sprintf("Job %s has ended: the database is at revision %d.", d.Job.Name, res.To),
		}
	}
	a.Reason, a.Message = string(res.Reason), cut(Explain(*res, d.Bundle, d.engine()), maxMessage)
	if !reasonPattern.MatchString(a.Reason) {
		a.Reason = string(result.ReasonInternal) // No Job of ours says so, and the API would refuse the status.
	}
	d.enter(res, a.Reason)
	return d.recordFailure()
}

// reasonPattern is what the API takes for a reason.
var reasonPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,63}$`)

// learn takes over what the Job has seen of the database, and reports whether
// that was a revision.
func (d *decider) learn(res *result.Result) (known bool) {
	if res.To <= 0 || res.To > len(d.Bundle.Revisions) || !slices.ContainsFunc(d.Bundle.Births, func(b bundle.BirthSpec) bool {
		return string(b.Name) == res.Birth
	}) {
		switch {
		case elsewhere(res):
			// What is recorded is not so, and nothing takes its place.
			d.unlearn()
			d.hold = false
		case res.Applied == 0 && d.status.Attempt.From != nil:
			// It did nothing, so nothing has changed.
			d.hold = false
		}
		return false
	}
	d.hold = false
	d.status.AppliedRevision = RevisionOf(d.Bundle, res.To)
	d.status.Birth = v1alpha1.Birth(res.Birth)
	d.status.VerifiedTime = d.finish()
	d.noticeDrift(res)
	d.noticeTables(res)
	if d.status.Attempt.From == nil {
		from := number(res.From)
		d.status.Attempt.From = &from
	}
	if adopted, ok := d.Bundle.Revision(res.AdoptedAt); ok {
		d.status.AdoptedFrom = string(adopted.History) + " " + adopted.ID
	}
	return true
}

// unlearn drops what is recorded of where the database is.
func (d *decider) unlearn() {
	d.status.AppliedRevision, d.status.Birth, d.status.AdoptedFrom = v1alpha1.RevisionStatus{}, "", ""
	d.status.Tables = nil
}

// uncertain reports whether a run lost touch with a database that it had begun
// to work on: whether its last transaction was committed, nobody knows.
func uncertain(res *result.Result) bool {
	return res.Birth != "" && (res.Reason == result.ReasonUnreachable || res.Reason == result.ReasonInterrupted)
}

// elsewhere reports whether a Job has seen that the database is not what is
// recorded, and could not tell a revision instead: it is empty, nothing that the
// bundle knows, or in the hands of others, who may have brought it anywhere.
func elsewhere(res *result.Result) bool {
	switch res.Reason {
	case result.ReasonUnexpectedRevision, result.ReasonUnknownDatabase, result.ReasonAheadOfBundle, result.ReasonDirty,
		result.ReasonVersionChangedByOthers, result.ReasonRevisionMissing, result.ReasonDatabaseOwned,
		result.ReasonAdoptionForbidden, result.ReasonCatalogDiffers:
		return true
	default:
		return false
	}
}

// finish is when the Job ended, in whole seconds as the API keeps times.
func (d *decider) finish() *metav1.Time {
	if d.Job.FinishTime != nil {
		return d.Job.FinishTime
	}
	now := metav1.NewTime(d.Now.Truncate(1e9))
	return &now
}

// judge maps an outcome to the state of the attempt.
func (d *decider) judge(res *result.Result) v1alpha1.AttemptState {
	switch res.Outcome {
	case result.Done:
		return v1alpha1.AttemptSucceeded
	case result.Transient, result.Locked:
		return v1alpha1.AttemptRetrying
	case result.Refused:
		if d.foundOut(res) {
			return v1alpha1.AttemptSucceeded
		}
		return v1alpha1.AttemptFailed
	case result.Usage, result.Permanent:
		if res.Reason == result.ReasonInvalidURL {
			// It is in a Secret, which is mended outside and which nobody here sees.
			return v1alpha1.AttemptRetrying
		}
		return v1alpha1.AttemptFailed
	default:
		return v1alpha1.AttemptFailed
	}
}

// foundOut reports whether a refusal is news that leads to another plan: the
// database is elsewhere than it was taken to be.
func (d *decider) foundOut(res *result.Result) bool {
	switch res.Reason {
	case result.ReasonFencing, result.ReasonDestructive, result.ReasonDowngrade, result.ReasonUnexpectedRevision:
	default:
		return false
	}
	before := d.Schema.Status.Attempt.From
	return before == nil && res.To > 0 || before != nil && int(*before) != res.To
}

// recordLoss is an attempt of which nobody knows what it did.
func (d *decider) recordLoss() Decision {
	a := &d.status.Attempt
	a.State, a.Reason = v1alpha1.AttemptLost, v1alpha1.ReasonJobLost
	a.Message = fmt.Sprintf("Job %s ended without saying what it did.", d.Job.Name)
	if d.Job.FailureReason == "DeadlineExceeded" {
		a.State, a.Reason = v1alpha1.AttemptFailed, v1alpha1.ReasonDeadlineExceeded
		a.Message = fmt.Sprintf("Job %s ran for longer than spec.execution.activeDeadlineSeconds, %d seconds. "+
			"What was not committed was rolled back. Raise or remove the deadline.", d.Job.Name, d.spec.Execution.ActiveDeadlineSeconds)
	}
	if code := d.Job.ExitCode; code != nil {
		a.Message = fmt.Sprintf("Job %s ended with exit code %d and without saying what it did.", d.Job.Name, *code)
	}
	d.enter(&result.Result{From: int(d.status.AppliedRevision.Version)}, a.Reason)
	return d.recordFailure()
}

// recordFailure counts a failure, and says when the next attempt begins.
func (d *decider) recordFailure() Decision {
	a := &d.status.Attempt
	failures := int32(1)
	if a.Failures != nil {
		failures = *a.Failures + 1
	}
	a.Failures = &failures
	if a.State == v1alpha1.AttemptFailed {
		return Decision{Action: Record, Verdict: Stalled, Reason: a.Reason, Message: a.Message}
	}
	d.hold = d.hold || d.fenced()
	retry := metav1.NewTime(d.finish().Add(Backoff(int(failures))))
	a.RetryTime = &retry
	return Decision{Action: Record, Verdict: Progressing, Reason: a.Reason, Message: a.Message}
}

// enter adds to the history. A failure like the last one takes its place: a
// database that is down for a day must not push out what is worth remembering.
func (d *decider) enter(res *result.Result, outcome string) {
	from, to := number(res.From), d.status.Attempt.To
	entry := v1alpha1.HistoryEntry{From: &from, Job: d.Job.Name, Result: outcome, StartTime: d.Job.StartTime}
	if outcome == v1alpha1.ReasonSucceeded {
		to = number(res.To)
	}
	entry.To = &to
	switch {
	case to > from:
		entry.Direction = v1alpha1.DirectionUp
	case to < from:
		entry.Direction = v1alpha1.DirectionDown
	default:
		entry.Direction = v1alpha1.DirectionNone
	}
	if d.Job.StartTime != nil && d.Job.FinishTime != nil {
		seconds := int32(math.Round(d.Job.FinishTime.Sub(d.Job.StartTime.Time).Seconds()))
		seconds = max(seconds, 0)
		entry.DurationSeconds = &seconds
	}
	history := d.status.History
	if len(history) > 0 && outcome != v1alpha1.ReasonSucceeded && history[0].Result == outcome &&
		*history[0].From == from && *history[0].To == to {
		history = history[1:]
	}
	history = append([]v1alpha1.HistoryEntry{entry}, history...)
	d.status.History = history[:min(len(history), historyLength)]
}
