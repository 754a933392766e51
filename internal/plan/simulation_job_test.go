package plan_test

import (
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// advance lets the pod of a Job take one step: it looks at the database, and
// applies or reverts one revision, or ends. A run that is told to end plans
// again before each revision, as the engine does.
func (w *world) advance(j *simJob) {
	at := w.databases[j.source]
	if !j.contacted {
		j.contacted, j.first = true, at
	}
	j.lookedAt = w.next()
	switch reason := w.forbids(j, at); {
	case at > len(w.bundle.Revisions):
		// Nothing of it can be read, not even where it stands.
		w.end(j, &result.Result{Outcome: result.Permanent, Reason: result.ReasonAheadOfBundle})
	case reason != "":
		w.end(j, &result.Result{Outcome: result.Refused, Reason: reason})
	case at == j.target:
		w.end(j, &result.Result{Outcome: result.Done})
	case at == 0:
		// An empty database is filled in one transaction.
		w.databases[j.source] = j.target
		j.applied = j.target
		w.logf("%s fills the database %s up to %d", j.name, j.source, j.target)
	case at < j.target:
		w.fence(j, w.bundle.Revisions[at], at+1)
		w.databases[j.source] = at + 1
		j.applied++
		w.logf("%s brings the database %s to %d", j.name, j.source, at+1)
	default:
		w.fence(j, w.bundle.Revisions[at-1], at)
		w.databases[j.source] = at - 1
		j.applied++
		w.logf("%s takes the database %s back to %d", j.name, j.source, at-1)
	}
}

// forbids is what the engine refuses, in its order.
func (w *world) forbids(j *simJob, at int) result.Reason {
	if j.expect != nil && (at < min(*j.expect, j.target) || at > max(*j.expect, j.target)) {
		return result.ReasonUnexpectedRevision
	}
	if j.target < at && !j.downgrade {
		return result.ReasonDowngrade
	}
	if at == 0 {
		return ""
	}
	for version := at + 1; version <= j.target; version++ {
		revision := w.bundle.Revisions[version-1]
		switch {
		case j.fencing && revision.Label.Fencing():
			return result.ReasonFencing
		case j.destructive && revision.Destructive:
			return result.ReasonDestructive
		}
	}
	return ""
}

// fence is the invariant of a fencing revision: no pod runs that it breaks, on
// the way up one that needs less, on the way down one that needs the revision.
func (w *world) fence(j *simJob, revision bundle.Revision, version int) {
	down := j.target < version
	if !down && (!revision.Label.Fencing() || j.rolling && revision.Label == bundle.Quiesce) {
		return
	}
	for i := range w.pods {
		pod := &w.pods[i]
		if pod.gated || pod.open || pod.source != j.source || w.tampered[j.source] {
			continue
		}
		if down && pod.required >= version || !down && pod.required < version {
			w.fail("%s runs revision %d (down: %t) while pod %s runs, which needs %d", j.name, version, down, pod.name, pod.required)
		}
	}
}

// end completes the result as the engine does: what it says of the database is
// what it has seen of it.
func (w *world) end(j *simJob, res *result.Result) {
	at := w.databases[j.source]
	j.ended, j.pod, j.version, j.actual = true, false, w.next(), at
	if res == nil {
		w.logf("%s ends without a result, the database %s at %d", j.name, j.source, at)
		return
	}
	if j.contacted && at <= len(w.bundle.Revisions) {
		res.From, res.To, res.Applied = j.first, at, j.applied
		if at > 0 {
			res.Birth = string(bundle.BirthAlembic)
		}
	}
	j.result = res
	w.logf("%s ends: %s %s, from %d to %d", j.name, res.Outcome, res.Reason, res.From, res.To)
}

// job lets a random Job's pod come to something.
func (w *world) job() {
	var acting []*simJob
	for i := range w.jobs {
		if w.jobs[i].acts() {
			acting = append(acting, &w.jobs[i])
		}
	}
	if len(acting) == 0 {
		return
	}
	j := acting[w.rng.IntN(len(acting))]
	if !j.started {
		j.started, j.version = true, w.next()
	}
	if !w.disturb(j) {
		w.advance(j)
	}
}

// disturb has something go wrong with a migration now and then.
func (w *world) disturb(j *simJob) bool {
	if w.calm || !w.chance(6) {
		return false
	}
	switch w.rng.IntN(9) {
	case 0:
		w.end(j, nil)
	case 1:
		j.failure = "DeadlineExceeded"
		w.end(j, nil)
	case 2:
		w.advance(j)
		if !j.ended {
			w.end(j, nil)
		}
	case 3:
		w.end(j, &result.Result{Outcome: result.Transient, Reason: result.ReasonUnreachable})
	case 4:
		w.end(j, &result.Result{Outcome: result.Locked, Reason: result.ReasonTableLocked})
	case 5:
		w.end(j, &result.Result{Outcome: result.Permanent, Reason: result.ReasonSQLError})
	case 6:
		// The connection is lost in a commit that succeeds.
		at := w.databases[j.source]
		w.advance(j)
		if !j.ended {
			w.end(j, &result.Result{Outcome: result.Transient, Reason: result.ReasonUnreachable})
			j.result.To, j.result.Applied = at, max(0, j.applied-1)
			if at == 0 {
				j.result.Birth = ""
			}
		}
	case 7:
		// The node is gone, and what ran on it.
		j.lost = true
		j.version = w.next()
		w.logf("the node of %s is lost", j.name)
	default:
		w.remove(j)
	}
	return true
}

// remove is a Job that somebody deletes. Its pod goes on for a moment.
func (w *world) remove(j *simJob) {
	j.deleted, j.version = true, w.next()
	w.logf("%s is deleted by hand", j.name)
}

// expire ends the pods of deleted Jobs and removes ended Jobs after their time.
func (w *world) expire() {
	var kept []simJob
	for _, j := range w.jobs {
		switch {
		case j.deleted && (!j.pod || j.lost || w.chance(2)):
			w.logf("what was left of %s is gone", j.name)
			w.next()
			continue
		case j.ended && !w.calm && w.chance(8):
			w.logf("%s expires", j.name)
			continue
		}
		kept = append(kept, j)
	}
	w.jobs = kept
}

// alone is the invariant of Jobs: at most one at a time can act.
func (w *world) alone() {
	var acting []string
	for i := range w.jobs {
		if w.jobs[i].acts() {
			acting = append(acting, w.jobs[i].name)
		}
	}
	if len(acting) > 1 {
		w.fail("these Jobs run at the same time: %v", acting)
	}
}
